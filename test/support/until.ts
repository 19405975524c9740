/** Ends {@link until} at once: what was waited for cannot come any more. */
export class Stop extends Error {}

/** Asks again and again until the answer is truthy; fails with what was seen last. Deadline in milliseconds. */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  deadlineMs = 60_000,
): Promise<NonNullable<T>> {
  const end = Date.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer) return answer;
      last = answer;
    } catch (error) {
      if (error instanceof Stop) throw error;
      last = error;
    }
    if (Date.now() > end)
      throw new Error(
        `${what}: not within ${deadlineMs} ms; last seen: ${last instanceof Error ? last.message : JSON.stringify(last)}`,
      );
    await pause(50);
  }
}

/** A pause between two looks. Never used to wait for an event. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
