import type { Redis } from 'ioredis';
import {
  decodeSession,
  jobId,
  sessionKey,
  takenOver,
  type DoneFacts,
  type FileStep,
  type SessionRef,
} from '../domain/index.js';
import type { JobLock } from '../queue/index.js';
import { recordScript } from './lua.js';
import * as scripts from './move-scripts.js';

/** A file that the scanner hands to the queue. */
export interface QueuedFile {
  readonly session: SessionRef;
  readonly filename: string;
  /** Bytes. */
  readonly size: number;
}

/** What the beginning of a run found out. */
export interface Begun {
  /** The state before: `failed` means that a quarantined file is being retried. */
  readonly before: 'queued' | 'active' | 'delayed' | 'failed' | 'new';
  /** Whether it is the first run since the file was queued, so that nobody can have claimed it yet. */
  readonly first: boolean;
  /** Runs of this file that ended without a word: their worker died or froze. */
  readonly deaths: number;
  /** Those of them in which the file was alone. */
  readonly aloneDeaths: number;
  /** For how long the job's lock is held from then on if nobody renews it; milliseconds. */
  readonly lockMs: number;
  /** The id of the file's record. */
  readonly record: string;
  /** The labels of its session, JSON; empty where it has none. Anybody who reaches Redis can write them. */
  readonly labels: string;
}

/** The moves of a file from state to state, each one atomic step in Redis. */
export class Moves {
  private readonly scripts;

  constructor(
    private readonly redis: Redis,
    private readonly prefix: string,
  ) {
    const bind = (name: string, body: string) => recordScript(redis, prefix, `sluiceFile${name}`, body);
    this.scripts = {
      queue: bind('Queue', scripts.QUEUE),
      begin: bind('Begin', scripts.BEGIN),
      rest: bind('Rest', scripts.REST),
      quarantine: bind('Quarantine', scripts.QUARANTINE),
      retried: bind('Retried', scripts.RETRIED),
      receipt: bind('Receipt', scripts.RECEIPT),
      forget: bind('Forget', scripts.FORGET),
      stands: bind('SourceStands', scripts.SOURCE_STANDS),
      progress: bind('Progress', scripts.PROGRESS),
      lastError: bind('LastError', scripts.LAST_ERROR),
    };
  }

  /**
   * Records files as queued; those on record already are gone on with. Safe to repeat.
   *
   * @param lease the scanner's pod id; @returns false where it no longer holds the lease: then nothing was recorded
   */
  async queued(files: readonly QueuedFile[], lease: string, why = 'waits for an uploader'): Promise<boolean> {
    for (let at = 0; at < files.length; at += 500) {
      const args = files
        .slice(at, at + 500)
        .flatMap((file) => [sessionKey(file.session), sessionName(file.session), file.filename, file.size]);
      if ((await this.scripts.queue(lease, 'queued', why, ...args)) !== 1) return false;
    }
    return true;
  }

  /**
   * Begins a run. A file with two deaths gets no mark until it runs alone: call again with `alone`.
   *
   * @param run unique per run
   * @throws Interrupted where the job's lock is lost
   */
  async begin(file: QueuedFile, run: string, alone: boolean, pod: string, lock = UNLOCKED): Promise<Begun> {
    const key = sessionKey(file.session);
    const answer = await this.scripts.begin(
      key,
      sessionName(file.session),
      file.filename,
      file.size,
      run,
      alone ? '1' : '0',
      pod,
      lock.id,
      lock.token,
    );
    const [before, ...rest] = answer as [
      ...[Begun['before'] | 'lost', number, number, number, number, string, string],
    ];
    if (before === 'lost') throw takenOver();
    const [deaths, aloneDeaths, runs, lockMs, record, labels] = rest;
    return { before, deaths, aloneDeaths, first: before === 'queued' && runs === 1, lockMs, record, labels };
  }

  /**
   * Ends a run without a result: the file is queued or delayed.
   *
   * @returns false where another run has taken over
   * @throws Interrupted where the job's lock is lost
   */
  async rest(
    session: SessionRef,
    filename: string,
    run: string,
    to: { state: 'queued' | 'delayed'; why: string; attempts: number; code?: string },
    lock = UNLOCKED,
  ): Promise<boolean> {
    const { state, why, attempts, code = '' } = to;
    const args = [sessionKey(session), filename, run, state, why, attempts, code];
    return orLost(await this.scripts.rest(...args, lock.id, lock.token)) === 1;
  }

  /**
   * Records a file as quarantined. `count` raises `processed_err`, once until it is retried. Safe to repeat.
   *
   * @throws Interrupted where the job's lock is lost
   */
  async quarantined(
    file: QueuedFile,
    reason: { why: string; attempts: number; code: string; count: boolean },
    lock = UNLOCKED,
  ): Promise<void> {
    const { why, attempts, code, count } = reason;
    const answer = await this.scripts.quarantine(
      sessionKey(file.session),
      file.filename,
      'failed',
      why,
      attempts,
      code,
      count ? '1' : '0',
      file.size,
      sessionName(file.session),
      lock.id,
      lock.token,
    );
    orLost(answer);
  }

  /**
   * Records quarantined files as queued whose jobs were sent back to work; their sessions are open again. Others are
   * left alone, so it may be asked of any file at any time. Where the one who retried dies before this, recovery asks,
   * or an uploader takes the file first: {@link begin} says `failed` either way.
   *
   * @returns how many changed
   */
  async retried(files: readonly { session: SessionRef; filename: string }[]): Promise<number> {
    let changed = 0;
    for (let at = 0; at < files.length; at += 500) {
      const args = files
        .slice(at, at + 500)
        .flatMap(({ session, filename }) => [sessionKey(session), filename, jobId(filename)]);
      changed += Number(await this.scripts.retried(...args));
    }
    return changed;
  }

  /**
   * Writes the receipt of a claim: in one step the file is done, and the totals rise if this claim has no receipt yet.
   * Safe to repeat.
   *
   * @param facts `record` is the id that {@link begin} gave; without it, it is looked for
   * @returns whether it was the first receipt
   * @throws Interrupted where the job's lock is lost: the call may have waited for Redis while another run went on
   */
  async receipt(
    session: SessionRef,
    filename: string,
    claim: string,
    facts: DoneFacts & { attempts: number; pod: string; maxFiles: number; record?: string },
    lock = UNLOCKED,
  ): Promise<boolean> {
    const { blobUrl, size, md5, mtimeMs, attempts, pod, maxFiles, etag, sha256, tier } = facts;
    const folder = `${session.datePrefix}/${encodeURIComponent(session.encodedSession)}/`;
    const name = encodeURIComponent(filename);
    const answer = await this.scripts.receipt(
      sessionKey(session),
      filename,
      claim,
      blobUrl.endsWith(`/${folder}${name}`) ? blobUrl.slice(0, -name.length) : '',
      blobUrl,
      size,
      md5 ?? '',
      Math.floor(mtimeMs),
      attempts,
      pod,
      maxFiles,
      sessionName(session),
      lock.id,
      lock.token,
      facts.record ?? '',
      etag?.replace(/^"|"$/g, '') ?? '',
      sha256 ?? '',
      tier ?? '',
    );
    return orLost(answer) === 1;
  }

  /** Whether any claim of this blob has a receipt that has not ended. */
  async hasReceipt(session: SessionRef, filename: string): Promise<boolean> {
    return (await this.redis.exists(`${this.prefix}:receipts:${sessionKey(session)}/${filename}`)) === 1;
  }

  /** Ends receipts, once their jobs are complete. Safe to repeat. */
  async endReceipts(ended: readonly { blob: string; claim: string }[]): Promise<void> {
    const calls = this.redis.pipeline();
    for (const { blob, claim } of ended) calls.hdel(`${this.prefix}:receipts:${blob}`, claim);
    await calls.exec();
  }

  /**
   * Takes the record of a stored file back from the done ones, since its source still stands; the totals keep it. A file
   * that is not done is left as it is. Safe to repeat.
   *
   * @param blobUrl where it is stored
   * @throws Interrupted where the job's lock is lost
   */
  async sourceStands(session: SessionRef, filename: string, blobUrl: string, lock = UNLOCKED): Promise<void> {
    orLost(await this.scripts.stands(sessionKey(session), filename, lock.id, lock.token, blobUrl));
  }

  /**
   * Removes the record of a file of which nothing is left on the volume; one that is stored is done then. Safe to repeat.
   *
   * @throws Interrupted where the job's lock is lost
   */
  async forget(session: SessionRef, filename: string, lock = UNLOCKED): Promise<void> {
    orLost(await this.scripts.forget(sessionKey(session), filename, lock.id, lock.token));
  }

  /** Notes how many bytes are in the store, and how many the step is through with, and tells those who watch. */
  async progress(
    session: SessionRef,
    filename: string,
    stored: number,
    step: FileStep = 'uploading',
    bytes = stored,
  ): Promise<void> {
    await this.scripts.progress(sessionKey(session), filename, stored, step, bytes);
  }

  /** Sets the sentence that `GET /v1/status` shows as `last_error`. */
  async lastError(sentence: string): Promise<void> {
    await this.scripts.lastError(sentence);
  }
}

/** For whoever is guarded otherwise: the scanner by its lease. */
const UNLOCKED: JobLock = { id: '', token: '' };

function orLost(answer: unknown): unknown {
  if (answer === -1) throw takenOver();
  return answer;
}

function sessionName(session: SessionRef): string {
  return decodeSession(session.encodedSession);
}
