import { blobName, parseSessionKey, type SessionRef } from '@app/shared/domain';
import type { FileRecord, Standing, StoredFiles } from '@app/shared/records';
import type { BlobStore } from '../blob-store/blob-store.js';
import { compare, compareBlocks, type Difference, type Proof } from './compare.js';
import { RateLimit } from './rate-limit.js';
import { readBack } from './read-back.js';

/** Blobs looked at together. */
const AT_ONCE = 8;
/** A larger file is read alone, so that its reading can pause; bytes. */
const ALONE = 8 * 1024 * 1024;
/** Records of a page. */
const PAGE_MAX = 1000;

/** Where a verification goes on: behind a record, or in the next one from a block on. */
interface Place {
  readonly after: number;
  readonly block: number;
}

/** What is asked. */
interface Question extends Place {
  readonly session: SessionRef;
  /** Whether bytes are read again. */
  readonly deep: boolean;
  /** Bytes a second; null: no limit. */
  readonly rate: number | null;
  readonly budgetMs: number;
}

/** What came of it; the api adds pages up. */
interface VerifiedPage {
  checked: number;
  superseded: number;
  under_way: number;
  readonly proved_by: Record<Proof, number>;
  readonly differing: Difference[];
  /** Null: the session is through. */
  next: Place | null;
}

/** What came of one blob; a place where its reading paused. */
type Verdict = Difference | Proof | { readonly pausedAt: number };

/** Compares the blobs of sessions with their records, a page at a time. */
export class SessionVerifier {
  constructor(
    private readonly store: BlobStore,
    private readonly files: StoredFiles,
  ) {}

  /**
   * Answers the question `verify`. Ends after its time or a thousand records; where the store fails on the way, it answers
   * what it has. Changes nothing.
   *
   * @throws Error for a question that cannot be read; StoreError, Interrupted, where nothing was found out
   */
  async answer(data: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<VerifiedPage> {
    const question = readQuestion(data);
    const page: VerifiedPage = {
      ...{ checked: 0, superseded: 0, under_way: 0 },
      ...{ proved_by: { etag: 0, bytes: 0, blocks: 0, size: 0 }, differing: [], next: question },
    };
    try {
      await this.fill(page, question, signal);
    } catch (error) {
      if (page.next?.after === question.after && page.next.block === question.block) throw error;
    }
    return { ...page, next: page.next && { after: page.next.after, block: page.next.block } };
  }

  private async fill(page: VerifiedPage, question: Question, signal: AbortSignal): Promise<void> {
    const { session, deep } = question;
    const limit = new RateLimit(question.rate);
    const end = performance.now() + question.budgetMs;
    const isLate = (): boolean => performance.now() > end;
    let seen = 0;
    for (let place: Place = question; seen < PAGE_MAX;) {
      const files = await this.files.page(session, place.after, PAGE_MAX - seen);
      if (files.length === 0) return void (page.next = null);
      seen += files.length;
      for (const group of grouped(files, ({ record }) => deep && record.size > ALONE)) {
        const verdicts = await Promise.all(
          group.map(async ({ record, standing }, i) => {
            if (standing !== 'stands') return standing;
            const from = i === 0 ? place.block : 0;
            const verdict = await this.look(record, from, deep, limit, isLate, signal);
            return isDifference(verdict) && !(await this.stands(record)) ? 'under_way' : verdict;
          }),
        );
        for (const [i, verdict] of verdicts.entries()) {
          if (typeof verdict === 'object' && 'pausedAt' in verdict)
            return void (page.next = { after: place.after, block: verdict.pausedAt });
          note(page, verdict);
          page.next = place = { after: group[i]?.record.id ?? place.after, block: 0 };
        }
        if (isLate()) return;
      }
    }
  }

  /** Whether the record still tells of the blob: a later drop of the name may have come while it was looked at. */
  private async stands({ session, id }: FileRecord): Promise<boolean> {
    const [again] = await this.files.page(session, id - 1, 1);
    return again?.record.id === id && again.standing === 'stands';
  }

  private async look(
    record: FileRecord,
    fromBlock: number,
    deep: boolean,
    limit: RateLimit,
    isLate: () => boolean,
    signal: AbortSignal,
  ): Promise<Verdict> {
    const blob = blobName(record.session, record.filename);
    const found = await this.store.look(blob, signal);
    const difference = compare(record, found);
    // what differs in its tier alone is read all the same
    if (found === null || (difference !== null && difference.what !== 'tier')) return difference ?? 'size';
    if (deep) {
      const read = await readBack(this.store, blob, record, found, fromBlock, limit, isLate, signal);
      if (read.kind === 'differs') return read.difference;
      if (read.kind === 'paused') return { pausedAt: read.block };
      if (read.kind === 'right') return difference ?? 'bytes';
    }
    if (difference !== null) return difference;
    if (record.etag !== undefined) return 'etag';
    const blocks = found.tier === 'Archive' ? [] : (await this.store.read(blob, signal)).committed;
    return compareBlocks(record, found, blocks);
  }
}

function note(page: VerifiedPage, verdict: Difference | Proof | Exclude<Standing, 'stands'>): void {
  if (verdict === 'superseded' || verdict === 'under_way') return void (page[verdict] += 1);
  page.checked += 1;
  if (typeof verdict === 'string') page.proved_by[verdict] += 1;
  else page.differing.push(verdict);
}

function isDifference(verdict: Verdict): verdict is Difference {
  return typeof verdict === 'object' && 'what' in verdict;
}

/** Neighbours together, a few at a time; those that stand alone by themselves. */
function* grouped<T>(items: readonly T[], isAlone: (item: T) => boolean): Generator<T[]> {
  let group: T[] = [];
  for (const item of items) {
    if (group.length > 0 && (isAlone(item) || group.length >= AT_ONCE)) {
      yield group;
      group = [];
    }
    group.push(item);
    if (isAlone(item)) {
      yield group;
      group = [];
    }
  }
  if (group.length > 0) yield group;
}

function readQuestion(data: Readonly<Record<string, unknown>>): Question {
  const session = parseSessionKey(typeof data.session === 'string' ? data.session : '');
  const number = (value: unknown): number => (typeof value === 'number' && value >= 0 ? value : NaN);
  const [after, block, budgetMs] = [data.after, data.block, data.budget_ms].map(number);
  const rate = data.rate === null ? null : number(data.rate);
  if (!session || ![after, block, budgetMs, rate ?? 1].every((value) => Number.isFinite(value)))
    throw new Error('the question cannot be read; run one release everywhere');
  return {
    session,
    after: after ?? 0,
    block: block ?? 0,
    budgetMs: budgetMs ?? 0,
    rate,
    deep: data.deep === true,
  };
}
