import { LargerThanStaging, millisecondsOf, type DigestAlgorithm, type Outcome } from '@app/shared/domain';
import type { Moment, Reservation, StageResult } from '@app/shared/files';
import { blobUrlOf } from './refusal.js';
import type { Run, Tools } from './run.js';
import { claim } from './steps/claim.js';
import { locate, type Found } from './steps/locate.js';
import { putBack } from './steps/put-back.js';
import { removeSource, SourceVanished } from './steps/remove.js';
import { changed, restedAs, settle, type Unsettled } from './steps/settle.js';
import { releaseSidecars, removeLeftSidecars, removeSidecars } from './steps/sidecar-ends.js';
import { claimSidecars, compareDigests, readSidecars } from './steps/sidecars.js';
import { upload } from './steps/upload.js';
import { verify } from './steps/verify.js';

/** How long a file that no reservation here can hold waits for another uploader; milliseconds, contract: within 30 s. */
const NO_ROOM_DELAY_MS = 5_000;

/** An outcome, and for a file that settles what its next look is compared with; for a done one its claim. */
export interface Moved {
  readonly outcome: Outcome;
  readonly observation?: Unsettled['observation'];
  readonly changes?: Unsettled['changes'];
  readonly claim?: string;
}

/**
 * Moves one file from the drop folder into the store: reserve, claim, stage, upload, verify, remove. Every step may be
 * repeated by another run, on another pod, after any fault.
 *
 * @throws StoreError, VolumeError, StagingError and what else a step throws; `judge` makes outcomes of them
 */
export async function moveFile(run: Run, tools: Tools): Promise<Moved> {
  const named = blobUrlOf(tools.store, run.session, run.filename);
  if ('refusal' in named) return { outcome: { kind: 'quarantine', ...named.refusal } };

  const found = await run.step('claim', () => locate(run, tools));
  const room = await reserve(run, found.size, tools);
  if ('outcome' in room) return room;
  try {
    return await moveReserved(run, found, room, tools);
  } finally {
    room.release();
  }
}

/** Reserves the staged bytes before anything is claimed: a file that does not fit here stays for another uploader. */
async function reserve(run: Run, bytes: number, tools: Tools) {
  try {
    return await run.step('reserve', () => tools.staging.reserve(bytes, run.signal));
  } catch (error) {
    if (!(error instanceof LargerThanStaging)) throw error;
    const why = `${run.filename}: ${error.message}`;
    return {
      outcome: { kind: 'outage', of: 'staging', code: 'LargerThanStaging', why, delayMs: NO_ROOM_DELAY_MS },
    } as const;
  }
}

async function moveReserved(run: Run, found: Found, room: Reservation, tools: Tools): Promise<Moved> {
  const names = tools.rules.sidecars === 'off' ? [] : await claimSidecars(run, found, tools);
  if (names === null)
    return { outcome: { kind: 'skipped', why: 'its checksum was taken back, which the scanner waits for' } };
  const sidecars = await readSidecars(run, names, tools);
  const digests = sidecars.map(({ algorithm }) => algorithm);
  const result =
    (await claimAndStage(run, found, room, digests, tools)) ??
    (await claimThenStage(run, found, room, digests, tools));
  if ('outcome' in result) return result;
  switch (result.kind) {
    case 'missing':
    case 'unclaimed':
      return { outcome: await nothingLeft(run, tools) };
    case 'changed':
      if (result.before && found.place === 'incoming' && restedAs(run) && (await putBack(run, tools))) {
        await releaseSidecars(run, tools);
        return {
          outcome: { kind: 'skipped', why: 'another file has its name by now, which the scanner finds' },
        };
      }
      return changed(result.look, result.changes, result.why, tools);
    case 'not-a-file':
      return { outcome: { kind: 'quarantine', code: 'NotAPlainFile', why: `it is a ${result.fileKind}` } };
    case 'too-large':
      return { outcome: { kind: 'quarantine', code: 'FileTooLarge', why: result.why } };
    case 'staged':
  }

  const staged = result.file;
  try {
    const unsettled = await compareDigests(run, staged, sidecars, tools);
    if (unsettled) return unsettled;
    const uploaded = await run.step('upload', () => upload(run, staged, tools));
    const verified = await run.step('verify', () => verify(run, uploaded, tools));
    const removal = await run.step('remove', () => removeSource(run, verified, tools));
    if (!removal.removed) return removal.unsettled;
    await removeSidecars(run, sidecars, tools);
    const { url, md5, claim, source } = verified;
    const facts = { blobUrl: url, size: source.size, md5, mtimeMs: millisecondsOf(source.mtimeNs) };
    return { outcome: { kind: 'done', facts }, claim };
  } catch (error) {
    if (error instanceof SourceVanished) return { outcome: { kind: 'skipped', why: error.message } };
    throw error;
  } finally {
    // the bytes of a small file are in memory, and its copy goes together with others
    const discarded = staged.discard();
    if (!staged.bytes) await discarded;
  }
}

/** Claims and stages a file in one call, for the first run after the scanner saw it rest. @returns null where that cannot be */
async function claimAndStage(
  run: Run,
  found: Found,
  room: Reservation,
  digests: readonly DigestAlgorithm[],
  tools: Tools,
): Promise<StageResult | null> {
  const expect = restedAs(run);
  if (!run.first || !expect || found.place !== 'incoming') return null;
  const claim = { from: tools.layout.incoming(run.filename), before: run.ownedUntil };
  const began = performance.now();
  const result = await stage(run, claim, expect, room, digests, tools).catch((error: unknown) => {
    run.took('stage', performance.now() - began, { error });
    throw error;
  });
  const ms = performance.now() - began;
  // the first file of a session finds no folder to be claimed into
  const claimMs = result.kind === 'unclaimed' ? ms : result.kind === 'staged' ? result.claimMs : null;
  if (claimMs !== null) run.took('claim', claimMs, { agoMs: ms - claimMs });
  if (result.kind === 'unclaimed') return null;
  run.took('stage', ms - (claimMs ?? 0));
  return result;
}

/** Claims a file wherever it is, lets it come to rest, and stages it. */
async function claimThenStage(
  run: Run,
  found: Found,
  room: Reservation,
  digests: readonly DigestAlgorithm[],
  tools: Tools,
): Promise<StageResult | Moved> {
  const claimed = await run.step('claim', () => claim(run, found, tools));
  if (!claimed) return { outcome: await nothingLeft(run, tools) };
  if (claimed === 'directory') return { kind: 'not-a-file', fileKind: claimed };
  const settled = await settle(run, tools);
  if (settled === 'gone') return { outcome: await nothingLeft(run, tools) };
  if (!settled.rests) return 'kind' in settled ? settled : settled.unsettled;
  if (settled.expect.size > room.bytes) {
    const why = `it grew from ${room.bytes} to ${settled.expect.size} bytes`;
    return changed({ ino: 0n, kind: 'file', ctimeNs: 0n, ...settled.expect }, ['size'], why, tools);
  }
  return run.step('stage', () => stage(run, null, settled.expect, room, digests, tools));
}

function stage(
  run: Run,
  claim: { from: string; before: Moment } | null,
  expect: { size: number; mtimeNs: bigint },
  room: Reservation,
  digests: readonly DigestAlgorithm[],
  tools: Tools,
): Promise<StageResult> {
  run.begins('stage', () => room.written);
  return tools.staging.stage({
    claim,
    source: tools.layout.processing(run.session, run.filename),
    folder: `${run.session.datePrefix}/${run.session.encodedSession}`,
    expect,
    digests,
    room,
    signal: run.signal,
  });
}

/** Nothing of the file is on the volume: another run is through with it, or somebody took it away. */
async function nothingLeft(run: Run, tools: Tools): Promise<Outcome> {
  const through = await tools.moves.hasReceipt(run.session, run.filename);
  if (tools.rules.sidecars !== 'off')
    await (through ? removeLeftSidecars(run, tools) : releaseSidecars(run, tools));
  return {
    kind: 'skipped',
    why: through ? 'an earlier run is through with it' : 'the file is gone from the volume',
  };
}
