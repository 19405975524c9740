/**
 * A moment by two clocks, in milliseconds: one that never jumps and is the same in all threads of a process, and one that
 * goes on while the machine sleeps.
 */
export interface Moment {
  readonly steady: number;
  readonly wall: number;
}

/** The moment in so many milliseconds. */
export function momentIn(ms: number): Moment {
  return { steady: steadyMs() + ms, wall: Date.now() + ms };
}

/** Whether a moment has come, by either clock. */
export function isOver({ steady, wall }: Moment): boolean {
  return steadyMs() >= steady || Date.now() >= wall;
}

/** Milliseconds of a clock that never jumps and is the same in all threads; performance.now() begins anew in each. */
export function steadyMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
