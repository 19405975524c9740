import { setTimeout as pause } from 'node:timers/promises';

/** What no test may take longer than, unless it says so; milliseconds. */
const LIMIT_MS = 600_000;

/** What a test is handed: where it leaves its own clearing up, and what it wants to have said. */
export class TestContext {
  private readonly cleanups: (() => unknown)[] = [];

  constructor(readonly name: string) {}

  /** Runs `cleanup` once the test has ended, however it ended; in the order in which they were said. */
  after(cleanup: () => unknown): void {
    this.cleanups.push(cleanup);
  }

  /** Prints a line beside the test's result. */
  diagnostic(line: string): void {
    console.log(`  ${this.name}: ${line}`);
  }

  /** Clears up; every cleanup runs. @throws what the first one threw that failed */
  async end(): Promise<void> {
    const errors: unknown[] = [];
    for (const cleanup of this.cleanups)
      await Promise.resolve()
        .then(cleanup)
        .catch((error: unknown) => errors.push(error));
    if (errors.length > 0) throw errors[0];
  }
}

/** The body of a test. */
export type Body = (t: TestContext) => unknown;

/**
 * A test of jest's that clears up after itself and ends within a limit.
 *
 * @param options `timeout` in milliseconds; default 10 minutes
 */
export function test(name: string, options: { readonly timeout?: number } | Body, body?: Body): void {
  if (globalThis.test === undefined) throw new Error('jest runs the tests: npx jest <file> [-t <name>]');
  const [limitMs, run] =
    typeof options === 'function' ? [LIMIT_MS, options] : [options.timeout ?? LIMIT_MS, body];
  globalThis.test(name, async () => {
    const t = new TestContext(name);
    try {
      await within(limitMs, Promise.resolve(t).then(run));
    } finally {
      await t.end();
    }
  });
}

async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  const late = pause(limitMs, undefined, { signal: over.signal }).then(() => {
    throw new Error(`it did not end within ${limitMs / 1000} s`);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    late.catch(() => undefined);
    over.abort();
  }
}
