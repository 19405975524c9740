/**
 * Keeps the smallest names of a stream, at most `room` of them: a binary heap with the largest on top, so that a
 * folder of any size costs memory for its window alone.
 */
export class Smallest {
  private readonly heap: string[] = [];
  /** Names that were offered and did not stay. */
  passed = 0;

  constructor(private readonly room: number) {}

  /** Offers a name. */
  offer(name: string): void {
    const { heap } = this;
    if (heap.length < this.room) {
      heap.push(name);
      this.up(heap.length - 1);
      return;
    }
    this.passed += 1;
    const largest = heap[0];
    if (largest === undefined || name >= largest) return;
    heap[0] = name;
    this.down(0);
  }

  /** The names that stayed, smallest first. */
  sorted(): string[] {
    return [...this.heap].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  }

  private at(index: number): string {
    return this.heap[index] ?? '';
  }

  private up(index: number): void {
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.at(parent) >= this.at(index)) return;
      this.swap(parent, index);
      index = parent;
    }
  }

  private down(index: number): void {
    for (;;) {
      let largest = index;
      for (const child of [2 * index + 1, 2 * index + 2])
        if (child < this.heap.length && this.at(child) > this.at(largest)) largest = child;
      if (largest === index) return;
      this.swap(largest, index);
      index = largest;
    }
  }

  private swap(a: number, b: number): void {
    [this.heap[a], this.heap[b]] = [this.at(b), this.at(a)];
  }
}
