import { blobName, messageOf, parseSessionKey, type BlockRule, type SessionRef } from '@app/shared/domain';
import { sharedSignal, type BlobStore } from './blob-store/blob-store.js';
import { blobUrlOf, sizeRefusal } from './refusal.js';

/** Blobs that are asked after at once. */
const AT_ONCE = 8;
/** After this no further blobs are asked after, and the answer has fewer files; milliseconds. */
const BUDGET_MS = 3_000;
/** A store that has not answered until then is not asked any more; milliseconds. */
const PATIENCE_MS = 6_000;

/** What would become of one file. */
export interface PlannedFile {
  /** Where its blob would stand; null where its name is refused. */
  readonly url: string | null;
  /** Whether a blob stands there; null where the store does not say. */
  readonly exists: boolean | null;
  /** Why it would be refused, its code first; null where it would not. */
  readonly fault: string | null;
}

/** A file that is asked about. */
interface Asked {
  readonly session: SessionRef;
  readonly filename: string;
  /** Bytes; null: not known. */
  readonly size: number | null;
}

/** Says what would become of files, by the checks of the move itself. Writes nothing. */
export class Planner {
  constructor(
    private readonly store: Pick<BlobStore, 'url' | 'properties' | 'namesUnder'>,
    private readonly blocks: BlockRule,
    /** Why the store is not asked now; null where it can be. */
    private readonly away: () => string | null,
    private readonly times = { budgetMs: BUDGET_MS, patienceMs: PATIENCE_MS },
  ) {}

  /**
   * Answers the question `plan`, in the order of the files that were asked about. Where the store is slow, only of the
   * first ones.
   *
   * @returns also a sentence where the store did not say what it holds
   * @throws Error for a question that cannot be read; Interrupted once nobody waits
   */
  async answer(
    data: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<{ files: PlannedFile[]; note: string | null }> {
    const asked = readQuestion(data);
    const end = performance.now() + this.times.budgetMs;
    const patience = AbortSignal.any([signal, AbortSignal.timeout(this.times.patienceMs)]);
    const files: PlannedFile[] = [];
    let note = this.away();
    const listed = note === null ? await this.listed(asked, sharedSignal(patience)) : null;
    const exists = async (blob: string): Promise<boolean | null> => {
      if (listed !== null) return listed.has(blob);
      if (note !== null) return null;
      try {
        return (await this.store.properties(blob, sharedSignal(patience))) !== null;
      } catch (error) {
        if (signal.aborted) throw error;
        note = `the store does not say what it holds: ${patience.aborted ? 'no answer in time' : messageOf(error)}`;
        return null;
      }
    };
    // only questions take time: where none is left, the rest is said at once
    const isLate = (): boolean => listed === null && note === null && performance.now() >= end;
    while (files.length < asked.length && (files.length === 0 || !isLate())) {
      const some = asked.slice(files.length, files.length + AT_ONCE);
      files.push(...(await Promise.all(some.map((file) => this.plan(file, exists)))));
    }
    return { files, note };
  }

  /** All blobs among which those of the files would be; null where they are many, or may not be listed: then each is asked after. */
  private async listed(asked: readonly Asked[], signal: AbortSignal): Promise<ReadonlySet<string> | null> {
    const blobs = asked.map(({ session, filename }) => blobName(session, filename)).sort();
    try {
      return await this.store.namesUnder(commonBeginning(blobs[0] ?? '', blobs.at(-1) ?? ''), signal);
    } catch {
      return null;
    }
  }

  private async plan(
    { session, filename, size }: Asked,
    exists: (blob: string) => Promise<boolean | null>,
  ): Promise<PlannedFile> {
    const named = blobUrlOf(this.store, session, filename);
    // nothing stands under a name that no blob can have
    if ('refusal' in named) return { url: null, exists: false, fault: sentence(named.refusal) };
    const refusal = size === null ? null : sizeRefusal(size, this.blocks);
    const there = await exists(blobName(session, filename));
    return { url: named.url, exists: there, fault: refusal && sentence(refusal) };
  }
}

/** How two texts begin alike; never half a character. */
function commonBeginning(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  const common = a.slice(0, length);
  return common.isWellFormed() ? common : common.slice(0, -1);
}

function sentence({ code, why }: { readonly code: string; readonly why: string }): string {
  return `${code}: ${why}`;
}

function readQuestion({ files }: Readonly<Record<string, unknown>>): Asked[] {
  const asked = Array.isArray(files) ? files.map(readFile) : [null];
  if (asked.some((file) => file === null))
    throw new Error('the question cannot be read; run one release everywhere');
  return asked.filter((file) => file !== null);
}

function readFile(value: unknown): Asked | null {
  const { session: key, filename, size } = (value ?? {}) as Record<string, unknown>;
  const session = typeof key === 'string' ? parseSessionKey(key) : null;
  if (!session || typeof filename !== 'string') return null;
  return { session, filename, size: typeof size === 'number' ? size : null };
}
