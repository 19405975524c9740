/**
 * The first file that each app loads. From here on SIGTERM and SIGINT no longer end the process by themselves: it loads
 * on, and `run` ends it in order with code 0. Before Node comes to this line, some 40 ms after its start, they still do:
 * Node gives every signal its default back when it starts, so neither tini nor a preload could close that; nothing has
 * begun by then.
 *
 * Imports nothing, on purpose: whatever is loaded before this line is time without a handler.
 */
let asked: NodeJS.Signals | null = null;

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => (asked ??= signal));

/** The signal that asked this process to stop, or null: it may have come before `run` was there to hear it. */
export function signalAsked(): NodeJS.Signals | null {
  return asked;
}
