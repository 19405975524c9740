import { createHash, type Hash } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname } from 'node:path';
import {
  codeOf,
  differences,
  planOrFault,
  type BlockRule,
  type Difference,
  type FileKind,
  type FileLook,
  type UploadPlan,
} from '../domain/index.js';
import { workerData } from 'node:worker_threads';
import { copyBytes, local } from './copy-bytes.js';
import { Digests, type FileDigests } from './digests.js';
import { makeFolder, renameFileToFree } from './folders.js';
import { isOver, type Moment } from './moment.js';
import { PIECE } from './hash-memory.js';
import type { HashSlot } from './hasher.js';
import { lookOf } from './look.js';
import { serve, StepFault, type Served } from './serve.js';
import { HashingSlot } from './slot-digests.js';

/** One file to stage. */
export interface StageRequest {
  /** What is to be renamed to `source` first, unless that would happen too late; null where it stands there already. */
  readonly claim: { readonly from: string; readonly before: Moment } | null;
  readonly source: string;
  /** Where the copy goes. A file that stands there is written over; what is longer of it stays, and is never read. */
  readonly target: string;
  readonly blockRule: BlockRule;
  readonly contentMd5: boolean;
  /** Whether the whole file's SHA-256 is taken, too. */
  readonly sha256: boolean;
  /** Files of so many bytes are handed over in the answer: nobody has to read them from the disk again. */
  readonly handOverMax: number;
  readonly expect: { readonly size: number; readonly mtimeNs: bigint } | null;
}

/** What a thread answers to {@link StageRequest}. */
export type StageAnswer =
  | {
      readonly kind: 'staged';
      readonly look: FileLook;
      readonly plan: UploadPlan;
      readonly md5: Uint8Array | null;
      readonly blockMd5s: Uint8Array;
      /** 32 bytes; null where it was not asked for. */
      readonly sha256: Uint8Array | null;
      /** The open file, or all of its bytes where they are few: then nothing is open. */
      readonly content: { readonly descriptor: number } | { readonly bytes: Uint8Array };
      readonly path: string;
      /** Milliseconds that the claim took; null without one. */
      readonly claimMs: number | null;
    }
  /** Nothing was done: the claim came too late, there was nothing to rename, or a namesake or a folder stands at its target. */
  | { readonly kind: 'unclaimed' }
  | {
      readonly kind: 'changed';
      readonly look: FileLook;
      readonly changes: readonly Difference[];
      readonly why: string;
      /** Whether it was so before anything was read. */
      readonly before: boolean;
    }
  | { readonly kind: 'missing' }
  | { readonly kind: 'not-a-file'; readonly fileKind: FileKind }
  | { readonly kind: 'too-large'; readonly why: string };

const FOLDER_TRIES = 20;
const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_RDWR, O_CREAT } = fs.constants;
const hashing = workerData === null ? null : new HashingSlot(workerData as HashSlot);
const buffers = hashing?.pieces ?? [Buffer.alloc(PIECE), Buffer.alloc(PIECE)];

// reads of the source are synchronous on purpose: one that hangs hangs this thread alone
serve(stage);

async function stage(request: StageRequest, call: Served): Promise<StageAnswer> {
  const began = performance.now();
  if (request.claim) {
    if (isOver(request.claim.before)) return { kind: 'unclaimed' };
    const claimed = claim(request.claim.from, request.source);
    if (claimed === 'directory') return { kind: 'not-a-file', fileKind: claimed };
    // what stands there under another name, or as a folder, is another file's, whose bytes must never be staged for this one
    if (claimed !== 'renamed' && claimed !== 'taken') return { kind: 'unclaimed' };
  }
  const claimMs = request.claim && performance.now() - began;
  let source: number;
  try {
    source = fs.openSync(request.source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return { kind: 'missing' };
    if (codeOf(error) === 'ENXIO') return { kind: 'not-a-file', fileKind: 'socket' };
    if (codeOf(error) === 'ELOOP') return { kind: 'not-a-file', fileKind: 'symlink' };
    throw error;
  }
  try {
    return await copy(request, source, claimMs, call);
  } finally {
    fs.closeSync(source);
  }
}

function claim(from: string, to: string): ReturnType<typeof renameFileToFree> {
  try {
    return renameFileToFree(from, to);
  } catch (error) {
    throw new StepFault('volume', 'renameToFree', error);
  }
}

async function copy(
  request: StageRequest,
  source: number,
  claimMs: number | null,
  call: Served,
): Promise<StageAnswer> {
  const before = lookOf(fs.fstatSync(source, { bigint: true }));
  if (before.kind !== 'file') return { kind: 'not-a-file', fileKind: before.kind };
  const { expect } = request;
  if (expect && (expect.size !== before.size || expect.mtimeNs !== before.mtimeNs))
    return {
      kind: 'changed',
      look: before,
      changes: differences(expect, before),
      why: whatChanged(expect, before),
      before: true,
    };
  const plan = planOrFault(before.size, request.blockRule);
  if (typeof plan === 'string') return { kind: 'too-large', why: plan };

  const target = openTarget(request.target);
  const md5s = hashing?.takes(plan, request.contentMd5)
    ? hashing.begin(plan)
    : new Digests(plan, request.contentMd5);
  const sha256 = request.sha256 ? createHash('sha256') : null;
  // taken here, while the hasher's thread takes the MD5s of the same piece
  const digests = sha256 ? besides(md5s, sha256) : md5s;
  try {
    const copied = await copyBytes(source, target, before.size, buffers, digests, call);
    // one call on NFS less a small file: a change within one read is rare, and found by the look before removal
    const atOnce = before.size <= PIECE && copied === before.size;
    const after = atOnce ? before : lookOf(fs.fstatSync(source, { bigint: true }));
    if (copied !== before.size || after.size !== before.size || after.mtimeNs !== before.mtimeNs) {
      discard(target, request.target);
      return {
        kind: 'changed',
        look: after,
        changes: differences({ size: copied, mtimeNs: before.mtimeNs }, after),
        why:
          copied === before.size
            ? whatChanged(before, after)
            : `${copied} bytes could be read instead of ${before.size}`,
        before: false,
      };
    }
    local('fdatasync', () => fs.fdatasyncSync(target));
    const taken = { ...digests.end(), sha256: sha256?.digest() ?? null };
    const few = plan.kind === 'single' && before.size <= request.handOverMax;
    const content = few ? handOver(target, before.size) : { descriptor: target };
    return { kind: 'staged', look: before, plan, ...taken, content, path: request.target, claimMs };
  } catch (error) {
    discard(target, request.target);
    throw error;
  } finally {
    digests.close();
  }
}

/** Takes one more digest of the bytes that others are taken of. */
function besides(digests: FileDigests, hash: Hash): FileDigests {
  return {
    update: (piece) => {
      digests.update(piece);
      hash.update(piece);
    },
    settle: () => digests.settle(),
    end: () => digests.end(),
    close: () => digests.close(),
  };
}

/** A file of one piece is still in the buffer that it was read into. */
function handOver(target: number, size: number): { bytes: Uint8Array } {
  fs.closeSync(target);
  return { bytes: new Uint8Array(buffers[0]?.subarray(0, size) ?? []) };
}

function openTarget(path: string): number {
  return local('open', () => {
    for (let tries = 1; ; tries++)
      try {
        // the folder is mostly there; and it may go again before the file is in it, with the last file of others
        if (tries > 1) makeFolder(dirname(path));
        return fs.openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
      } catch (error) {
        if (codeOf(error) !== 'ENOENT' || tries === FOLDER_TRIES) throw error;
      }
  });
}

function discard(descriptor: number, path: string): void {
  fs.closeSync(descriptor);
  fs.rmSync(path, { force: true });
}

function whatChanged(before: { size: number }, after: { size: number }): string {
  return before.size === after.size
    ? 'its modification time changed'
    : `its size changed from ${before.size} to ${after.size} bytes`;
}
