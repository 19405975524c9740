import { sessionKey, type SessionRef } from '@app/shared/domain';
import { NoAnswer, type Asking } from '../asking.js';
import { makeCursor, readCursor } from '../page.js';
import type { DifferingBlob, ProvedBy, Verification, VerifyRequest } from './verify.dto.js';

/** An answer ends after this; below the minute after which many proxies cut a request. Milliseconds. */
const TOTAL_MS = 50_000;
/** The time of one question; milliseconds. */
const BUDGET_MS = 20_000;
/** A question may take longer than its time by this: one block is always read, however slowly. Milliseconds. */
const SLACK_MS = 280_000;
/** No further question is asked once so many blobs differ. */
const DIFFERING_MAX = 1000;
const PROOFS = ['etag', 'bytes', 'blocks', 'size'] as const;

interface Place {
  readonly after: number;
  readonly block: number;
}

/**
 * Has an uploader compare a session's blobs with its records, page by page.
 *
 * @param signal aborts where the client has gone
 * @returns what was found until the time was over; without `without_record`
 * @throws BadRequestException for a cursor; NoAnswer where nothing was found out, RedisAway
 */
export async function verifySession(
  asking: Asking,
  session: SessionRef,
  { deep = false, rate_bytes_per_s, cursor }: VerifyRequest,
  signal: AbortSignal,
): Promise<Omit<Verification, 'without_record'>> {
  const list = `verify ${sessionKey(session)} ${deep}`;
  let place: Place | null = readCursor(list, cursor, readPlace) ?? { after: 0, block: 0 };
  const sum = { checked: 0, superseded: 0, under_way: 0 };
  const provedBy: ProvedBy = { etag: 0, bytes: 0, blocks: 0, size: 0 };
  const differing: DifferingBlob[] = [];
  const end = performance.now() + TOTAL_MS;
  let asked = false;
  while (place !== null && differing.length < DIFFERING_MAX && performance.now() < end) {
    const budget_ms = Math.min(BUDGET_MS, Math.max(1, Math.round(end - performance.now())));
    const question = {
      session: sessionKey(session),
      ...place,
      deep,
      rate: rate_bytes_per_s ?? null,
      budget_ms,
    };
    let answer;
    try {
      answer = await asking.ask('uploader', 'verify', question, budget_ms + SLACK_MS, signal);
    } catch (error) {
      // what is known is not lost; whoever goes on meets it again
      if (error instanceof NoAnswer && asked) break;
      throw error;
    }
    asked = true;
    const { proved_by: proved, differing: found, next } = answer;
    for (const key of ['checked', 'superseded', 'under_way'] as const) sum[key] += number(answer[key]);
    for (const key of PROOFS) provedBy[key] += number((proved as Record<string, unknown> | null)?.[key]);
    differing.push(...(found as DifferingBlob[]));
    place = next === null ? null : readPlace(next as Record<string, unknown>);
  }
  return { ...sum, differing, proved_by: provedBy, next_cursor: place && makeCursor(list, place) };
}

function readPlace({ after, block }: Record<string, unknown>): Place | null {
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
  return isCount(after) && isCount(block) ? { after, block } : null;
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
