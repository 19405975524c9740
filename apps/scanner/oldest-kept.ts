/** A kept source, and what tells it from another under its name. */
export interface Kept {
  readonly path: string;
  readonly ino: bigint;
  readonly ctimeNs: bigint;
  /** Bytes. */
  readonly size: number;
}

/** The oldest of many files, by their change time; holds twice as many as are wanted at the most. */
export class Oldest {
  private files: Kept[] = [];

  /** @param most how many are wanted */
  constructor(private readonly most: number) {}

  /** Adds a file, which may push out a younger one. */
  add(file: Kept): void {
    this.files.push(file);
    if (this.files.length >= 2 * this.most) this.files = this.sorted();
  }

  /** Oldest first. */
  sorted(): Kept[] {
    return [...this.files].sort((a, b) => (a.ctimeNs < b.ctimeNs ? -1 : 1)).slice(0, this.most);
  }
}
