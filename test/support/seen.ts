import { mkdirSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { TestContext } from './test.js';

/** A row of the table in docs/reliability.md: what a test injected, and what it saw. */
export interface Seen {
  readonly fault: string;
  /** How it was injected. */
  readonly injected: string;
  readonly promised: string;
  readonly files: number;
  /** Processes killed or frozen. */
  readonly kills?: number;
  /** Seconds until work went on. */
  readonly goesOnAfterS?: number;
  /** Bytes sent again, in per cent of the file. */
  readonly sentAgainPercent?: number;
}

/** Where rows are kept; `npm run docs:reliability` makes the table from them. */
export const SEEN_FOLDER = resolve(__dirname, '../../../artifacts/reliability');

/** Notes what a test saw, at its very end: a test that fails before leaves no row. */
export function seen(t: TestContext, row: Seen): void {
  mkdirSync(SEEN_FOLDER, { recursive: true });
  const name = createHash('sha256').update(row.fault).digest('hex').slice(0, 12);
  writeFileSync(join(SEEN_FOLDER, `${name}.json`), JSON.stringify(row));
  t.diagnostic(JSON.stringify(row));
}
