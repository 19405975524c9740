import type { Aside } from './aside.js';
import { Smallest } from './smallest.js';

/**
 * The names that one scan looks at, at most `slots` of them: the smallest ones, and some of those that were put aside,
 * which keep no slot of the smallest.
 */
export class ScanWindow {
  private readonly smallest: Smallest;
  private readonly asideListed = new Set<string>();

  constructor(
    private readonly slots: number,
    private readonly aside: Aside,
  ) {
    this.smallest = new Smallest(slots - aside.share(slots));
  }

  /** Offers a name of the listing. */
  offer(name: string): void {
    if (this.aside.has(name)) this.asideListed.add(name);
    else this.smallest.offer(name);
  }

  /** The names to look at, once all were offered; those put aside that were not offered are forgotten. */
  names(): string[] {
    this.aside.keepOnly(this.asideListed);
    const names = this.smallest.sorted();
    return [...names, ...this.aside.next(this.slots - names.length)];
  }

  /** Names that were put aside and are not among those to look at. */
  notThisTime(names: readonly string[]): string[] {
    const looked = new Set(names);
    return [...this.asideListed].filter((name) => !looked.has(name));
  }

  /** How many names were never looked at, or not for long. */
  get passed(): number {
    return this.smallest.passed;
  }
}
