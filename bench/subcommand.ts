import type { Result } from './results.js';

/** How a subcommand runs. */
export interface Run {
  readonly rounds: number;
  /** Little work, to see that the harness is right; its numbers mean nothing. */
  readonly small: boolean;
}

/** A subcommand measures something and returns what it found. */
export type Subcommand = (run: Run) => Promise<Pick<Result, 'tables' | 'goals' | 'notes'>>;
