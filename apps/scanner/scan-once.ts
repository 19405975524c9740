import {
  decideStability,
  jobId,
  sessionKey,
  type FileKind,
  type FileLook,
  type Observation,
} from '@app/shared/domain';
import { uploadJob } from '@app/shared/queue';
import type { IncomingEntry, IncomingView, Watch } from '@app/shared/records';
import { LeaseLost, type ScannerParts } from './parts.js';
import { Smallest } from './smallest.js';

/** Entries that are ignored and still shown by name; the rest is counted. */
const IGNORED_SHOWN = 1_000;
/** Files enqueued per round trip. */
const BATCH = 500;

/** A file that was handed to the queue and still stands in the drop folder. */
interface Enqueued {
  readonly session: string;
  /** Whether its job was seen active, delayed or ended in the last scan, so that the name here may be a new drop. */
  underWay: boolean;
}

/** What the scanner remembers between two scans; checked against Redis in each. */
export class ScanMemory {
  /** Files handed to the queue, by name. */
  readonly enqueued = new Map<string, Enqueued>();
  /** The last look at each file of the window. */
  observations = new Map<string, Observation>();
  /** What was published last. */
  shown = new Map<string, IncomingEntry>();
  /** Publish everything at the next scan. */
  whole = true;
  /** Names that stand under `.processing` and `.failed`, as the last recovery found them. */
  processing: ReadonlySet<string> = new Set();
  failed: ReadonlySet<string> = new Set();

  /** Forgets everything: Redis lost its data, or another scanner led in between. */
  clear(): void {
    this.enqueued.clear();
    this.observations.clear();
    this.shown.clear();
    this.whole = true;
  }
}

/** What one scan did. */
export interface Scanned {
  readonly view: IncomingView;
  readonly examined: number;
  readonly enqueued: number;
}

/**
 * One scan: lists the drop folder, looks at a window of the smallest names, decides, enqueues, and tells what it saw.
 * Its cost grows with the room in the queue, not with the backlog, beyond listing names.
 *
 * @throws VolumeError; LeaseLost
 */
export async function scanOnce(parts: ScannerParts, memory: ScanMemory, watch: Watch): Promise<Scanned> {
  const room = watch.session ? Math.max(0, parts.rules.maxQueueSize - (await queued(parts))) : 0;
  // twice the room, so that files that settle do not keep others from their first look
  const window = new Smallest(Math.max(2 * room, watch.session ? 0 : 100));
  const entries = new Map<string, IncomingEntry>();
  const listing = await list(parts, memory, window, entries);
  await checkEnqueued(parts, memory, listing.listed, entries);

  const names = window.sorted();
  const looks = await parts.volume.lstatMany(parts.layout.roots.incoming, names);
  const { takers, oldest } = await decide(parts, memory, names, looks, watch, entries);
  const taken = watch.session ? await take(parts, memory, takers.slice(0, room), watch.session, entries) : 0;

  const count = (state: IncomingEntry['state']) =>
    [...entries.values()].filter((entry) => entry.state === state).length;
  const view: IncomingView = {
    seen: listing.seen,
    settling: count('settling'),
    held: count('held'),
    ignored: listing.ignored,
    oldest_age_s: oldest === null ? 0 : Math.max(0, Math.round((parts.now() - oldest) / 1000)),
    unexamined: window.passed,
  };
  await publish(parts, memory, view, entries);
  return { view, examined: names.length, enqueued: taken };
}

async function queued(parts: ScannerParts): Promise<number> {
  const counts = await parts.queue.getJobCounts('waiting', 'delayed', 'active', 'prioritized');
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** Lists the folder, a slice at a time: what is not taken is counted with its reason, what is enqueued is passed over. */
async function list(
  parts: ScannerParts,
  memory: ScanMemory,
  window: Smallest,
  entries: Map<string, IncomingEntry>,
) {
  const listed = new Set<string>();
  let [seen, ignored] = [0, 0];
  const ignore = (name: string, why: string) => {
    ignored += 1;
    if (ignored <= IGNORED_SHOWN)
      entries.set(name, shownBefore(memory, name, { state: 'ignored', why, since: parts.now(), size: null }));
  };
  await parts.volume.list(parts.layout.roots.incoming, (slice) => {
    for (const { name, raw, kind } of slice) {
      if (name !== null && isOwn(name)) continue;
      seen += 1;
      if (name === null) ignore(raw?.toString('utf8') ?? '\ufffd', 'ignored: its name is not valid UTF-8');
      else if (name.startsWith('.')) ignore(name, 'ignored: its name begins with a dot');
      else if (kind !== 'file' && kind !== 'unknown') ignore(name, ignoredKind(kind));
      else if (parts.rules.ignored(name)) ignore(name, 'ignored: APP_IGNORE_PATTERNS lists it');
      else if (memory.enqueued.has(name)) listed.add(name);
      else window.offer(name);
    }
  });
  return { listed, seen, ignored };
}

/** Entries that Sluice itself makes in the drop folder for a moment. */
function isOwn(name: string): boolean {
  return name.startsWith('.sluice');
}

function ignoredKind(kind: FileKind): string {
  return kind === 'directory'
    ? 'ignored: it is a folder; only files directly in the drop folder are taken'
    : `ignored: it is a ${kind}, not a plain file`;
}

/** Compares what is remembered as enqueued with Redis, in one call: a job that was lost is looked at anew. */
async function checkEnqueued(
  parts: ScannerParts,
  memory: ScanMemory,
  listed: ReadonlySet<string>,
  entries: Map<string, IncomingEntry>,
): Promise<void> {
  for (const name of memory.enqueued.keys()) if (!listed.has(name)) memory.enqueued.delete(name);
  const names = [...memory.enqueued.keys()];
  const states = await parts.states(names.map(jobId));
  for (const [i, name] of names.entries()) {
    const state = states[i];
    const known = memory.enqueued.get(name);
    if (!known) continue;
    if (state === 'missing' || state === 'completed') memory.enqueued.delete(name);
    else if (state === 'queued') known.underWay = false;
    else if (!known.underWay) known.underWay = true;
    else if (
      state === 'failed' ||
      (await parts.volume.lstat(`${parts.layout.roots.processing}/${known.session}/${name}`))
    )
      entries.set(name, held(parts, memory, name, state === 'failed' ? QUARANTINED : UNDER_WAY, null));
  }
}

const UNDER_WAY = 'held: the first file of this name is under way';
const QUARANTINED = 'held: a file of this name is quarantined; retry or remove that one';

function held(
  parts: ScannerParts,
  memory: ScanMemory,
  name: string,
  why: string,
  size: number | null,
): IncomingEntry {
  return shownBefore(memory, name, { state: 'held', why, since: parts.now(), size });
}

/** The entry as it was shown, where nothing but the time differs: then nothing is published. */
function shownBefore(memory: ScanMemory, name: string, entry: IncomingEntry): IncomingEntry {
  const before = memory.shown.get(name);
  return before?.state === entry.state && before.why === entry.why && before.size === entry.size
    ? before
    : entry;
}

async function decide(
  parts: ScannerParts,
  memory: ScanMemory,
  names: readonly string[],
  looks: readonly (FileLook | null | Error)[],
  watch: Watch,
  entries: Map<string, IncomingEntry>,
): Promise<{ takers: { name: string; look: FileLook }[]; oldest: number | null }> {
  const observations = new Map<string, Observation>();
  const takers: { name: string; look: FileLook }[] = [];
  let oldest: number | null = null;
  for (const [i, name] of names.entries()) {
    const look = looks[i];
    if (look === undefined || look === null) continue;
    if (look instanceof Error) throw look;
    if (look.kind !== 'file') {
      entries.set(
        name,
        shownBefore(memory, name, {
          state: 'ignored',
          why: ignoredKind(look.kind),
          since: parts.now(),
          size: null,
        }),
      );
      continue;
    }
    const mtime = Number(look.mtimeNs / 1_000_000n);
    oldest = oldest === null ? mtime : Math.min(oldest, mtime);
    const verdict = decideStability(memory.observations.get(name) ?? null, look, parts.now(), {
      minAgeMs: parts.rules.minFileAgeMs,
    });
    observations.set(name, verdict.observation);
    if (verdict.stable && watch.session) takers.push({ name, look });
    else {
      const why = watch.session
        ? verdict.why
        : 'settling: no session is active; start one with POST /v1/watch/start';
      entries.set(name, {
        state: 'settling',
        why: timeless(why),
        since: verdict.observation.since,
        size: look.size,
      });
    }
  }
  memory.observations = observations;
  return { takers, oldest };
}

/** An age in a sentence goes stale at once; whoever shows it adds the age from `since`. */
function timeless(why: string): string {
  return why.replace(/\d+\.\d s old, /, '');
}

/** Confirms the files that may be taken by opening them, and hands them to the queue. */
async function take(
  parts: ScannerParts,
  memory: ScanMemory,
  takers: readonly { name: string; look: FileLook }[],
  session: NonNullable<Watch['session']>,
  entries: Map<string, IncomingEntry>,
): Promise<number> {
  const states = await parts.states(takers.map(({ name }) => jobId(name)));
  const free: { name: string; look: FileLook }[] = [];
  for (const [i, taker] of takers.entries()) {
    const { name, look } = taker;
    if (states[i] === 'failed' || memory.failed.has(name))
      entries.set(name, held(parts, memory, name, QUARANTINED, look.size));
    else if ((states[i] !== 'missing' && states[i] !== 'completed') || memory.processing.has(name))
      entries.set(name, held(parts, memory, name, UNDER_WAY, look.size));
    else free.push(taker);
    // the last 500 are kept for inspection, and would make this one vanish
    if (states[i] === 'completed') await parts.queue.remove(jobId(name));
  }
  let taken = 0;
  for (let at = 0; at < free.length; at += BATCH) {
    const batch = free.slice(at, at + BATCH);
    // NFS answers a look from its cache; opening fetches the attributes anew
    const anew = await Promise.all(
      batch.map(({ name }) => parts.volume.lookAnew(parts.layout.incoming(name))),
    );
    const confirmed = batch.filter(
      ({ look }, i) =>
        anew[i]?.kind === 'file' && anew[i].size === look.size && anew[i].mtimeNs === look.mtimeNs,
    );
    for (const { name, look } of batch)
      if (!confirmed.some((taker) => taker.name === name))
        entries.set(name, {
          state: 'settling',
          why: 'settling: it changed since the last look',
          since: parts.now(),
          size: look.size,
        });
    await enqueue(parts, memory, confirmed, session);
    taken += confirmed.length;
  }
  return taken;
}

async function enqueue(
  parts: ScannerParts,
  memory: ScanMemory,
  files: readonly { name: string; look: FileLook }[],
  session: NonNullable<Watch['session']>,
): Promise<void> {
  if (files.length === 0) return;
  const recorded = await parts.moves.queued(
    files.map(({ name, look }) => ({ session, filename: name, size: look.size })),
    parts.pod,
  );
  if (!recorded) throw new LeaseLost();
  const jobs = files.map(({ name, look }) =>
    uploadJob({
      date_prefix: session.datePrefix,
      encoded_session: session.encodedSession,
      filename: name,
      size: look.size,
      mtime_ns: String(look.mtimeNs),
    }),
  );
  await parts.queue.addBulk(jobs);
  for (const { name } of files) {
    memory.enqueued.set(name, { session: sessionKey(session), underWay: false });
    memory.observations.delete(name);
  }
}

async function publish(
  parts: ScannerParts,
  memory: ScanMemory,
  view: IncomingView,
  entries: Map<string, IncomingEntry>,
): Promise<void> {
  const changes = new Map<string, IncomingEntry | null>();
  for (const [name, entry] of entries) {
    const before = memory.whole ? undefined : memory.shown.get(name);
    if (
      before?.state !== entry.state ||
      before.why !== entry.why ||
      before.since !== entry.since ||
      before.size !== entry.size
    )
      changes.set(name, entry);
  }
  if (!memory.whole) for (const name of memory.shown.keys()) if (!entries.has(name)) changes.set(name, null);
  await parts.incoming.publish(view, changes, memory.whole);
  memory.shown = entries;
  memory.whole = false;
}
