import { BadRequestException, Controller, Get, NotFoundException, Param, Query, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiParam, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { once } from 'node:events';
import { isDatePrefix, isEncodedSession, parseObject, sessionKey, type SessionRef } from '@app/shared/domain';
import type { PodReport } from '@app/shared/pods';
import { MANIFEST_STATES, type ManifestState, type SessionRecord } from '@app/shared/records';
import { makeCursor, Paged, readCursor, readLimit } from '../page.js';
import { ApiParts } from '../parts.js';
import { Problems } from '../problems/decorators.js';
import { SessionList, SessionView } from './sessions.dto.js';

/** The longest that a caller may wait for a session; seconds. */
const WAIT_MAX_S = 300;

/** Sessions, and what became of their files. */
@ApiTags('sessions')
@Controller('v1/sessions')
export class SessionsController {
  constructor(private readonly parts: ApiParts) {}

  @Get()
  @ApiOperation({
    summary: 'Sessions, newest first',
    description:
      'Walked page by page, each session that stands throughout comes once, whatever is started or trimmed meanwhile.',
  })
  @Paged()
  @ApiOkResponse({ type: SessionList })
  @Problems(400)
  async list(@Query('limit') limitText?: string, @Query('cursor') cursorText?: string): Promise<SessionList> {
    const { gate, sessions, pods } = this.parts;
    const limit = readLimit(limitText);
    const after = readCursor('sessions', cursorText, ({ startedAt, key }) =>
      typeof startedAt === 'number' && typeof key === 'string' ? { startedAt, key } : null,
    );
    const [places, alive] = await gate.ask(() =>
      Promise.all([sessions.placesAfter(after, limit + 1), pods.alive()]),
    );
    const page = places.slice(0, limit);
    const last = page.at(-1);
    const records = await gate.ask(() => sessions.read(page.map(({ key }) => key)));
    return {
      items: records.map((record) => sessionView(record, alive)),
      next_cursor: places.length > limit && last ? makeCursor('sessions', last) : null,
    };
  }

  @Get(':date/:encoded_session')
  @ApiOperation({
    summary: 'One session',
    description: 'With `wait` the answer comes once it is complete or finished, or the time is over.',
  })
  @PathOfSession()
  @ApiQuery({
    name: 'wait',
    required: false,
    schema: { type: 'integer', minimum: 0, maximum: WAIT_MAX_S, default: 0 },
    example: 0,
    description:
      'Seconds to wait at most until the session is complete or finished; `complete` and `state` say which.',
  })
  @ApiOkResponse({ type: SessionView })
  @Problems(400, 404)
  async one(
    @Param('date') date: string,
    @Param('encoded_session') encoded: string,
    @Res({ passthrough: true }) response: Response,
    @Query('wait') waitText?: string,
  ): Promise<SessionView> {
    const { gate, sessionWaits, pods } = this.parts;
    const session = readSession(date, encoded);
    const seconds = readWait(waitText);
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const record = await sessionWaits.until(session, seconds * 1000, gone.signal);
    if (!record) throw new NotFoundException(`no session ${sessionKey(session)} is known`);
    return sessionView(record, await gate.ask(() => pods.alive()));
  }

  @Get(':date/:encoded_session/manifest')
  @ApiOperation({
    summary: 'A line for each file that is done',
    description:
      'NDJSON: name, url, size, md5, sha256 (where the producer gave a checksum of that kind), mtime, attempts, started, finished, uploader, and `superseded: true` where a later drop of the name in this session has taken its place in the store. With `state=all` the failed files follow, newest first: name, `state: "failed"`, size, code, why, attempts, started, finished, uploader. Where records of the session went by the history limits, the last line is {"missing": 30}, the number of done files without a line, and the header Sluice-Missing holds what is known of it at the beginning.',
  })
  @PathOfSession()
  @ApiQuery({
    name: 'state',
    required: false,
    enum: MANIFEST_STATES,
    description: '`done` (the default): files that are done; `all`: failed ones too.',
  })
  @ApiOkResponse({
    content: { 'application/x-ndjson': { schema: { type: 'string' }, example: exampleLine() } },
  })
  @Problems(400, 404)
  async manifest(
    @Param('date') date: string,
    @Param('encoded_session') encoded: string,
    @Res() response: Response,
    @Query('state') stateText?: string,
  ): Promise<void> {
    const { gate, sessions, manifests } = this.parts;
    const session = readSession(date, encoded);
    const state = readManifestState(stateText);
    const [record] = await gate.ask(() => sessions.read([sessionKey(session)]));
    if (!record) throw new NotFoundException(`no session ${sessionKey(session)} is known`);
    const pieces = manifests.of(session, state);
    let piece = await gate.ask(() => pieces.next());
    response.status(200).type('application/x-ndjson').set('Sluice-Missing', String(record.trimmed));
    while (!piece.done && !response.destroyed) {
      if (!response.write(piece.value.text))
        await Promise.race([once(response, 'drain'), once(response, 'close')]);
      try {
        piece = await gate.ask(() => pieces.next());
      } catch {
        // the status is sent already: a manifest that breaks off must not look whole
        return void response.destroy();
      }
    }
    response.end();
  }
}

/** Reads `wait`. @throws BadRequestException */
function readWait(text: string | undefined): number {
  const seconds = text === undefined ? 0 : /^\d{1,3}$/.test(text) ? Number(text) : Infinity;
  if (seconds > WAIT_MAX_S)
    throw new BadRequestException(`wait must be a whole number of seconds from 0 to ${WAIT_MAX_S}`);
  return seconds;
}

/** Reads `state` of a manifest. @throws BadRequestException */
function readManifestState(text = 'done'): ManifestState {
  const state = MANIFEST_STATES.find((candidate) => candidate === text);
  if (!state) throw new BadRequestException(`state must be one of ${MANIFEST_STATES.join(', ')}`);
  return state;
}

/** Checks the two parts of a session's path, which Express has decoded once. @throws BadRequestException */
export function readSession(date: string, encoded: string): SessionRef {
  if (!isDatePrefix(date)) throw new BadRequestException(`"${date}" is no day such as 20260131`);
  if (!isEncodedSession(encoded))
    throw new BadRequestException(
      `"${encoded}" is no encoded session; in the path the encoded text is percent-encoded once more (my%2520session)`,
    );
  return { datePrefix: date, encodedSession: encoded };
}

function sessionView(record: SessionRecord, pods: readonly PodReport[]): SessionView {
  const key = sessionKey(record);
  const rate = pods.reduce((sum, pod) => sum + (pod.rates[key] ?? 0), 0);
  const { queued, active, delayed } = record.files;
  const { files, bytes, endMarker } = record.batch;
  const left =
    queued + active + delayed === 0
      ? 0
      : Math.max(0, record.bytes.total - record.bytes.done - record.bytesInFlight);
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return {
    date_prefix: record.datePrefix,
    session_name: record.name,
    encoded_session: record.encodedSession,
    state: record.state,
    complete: record.complete,
    missing: record.complete ? null : record.missing,
    expect: files === null && bytes === null ? null : { files, bytes },
    end_marker: endMarker,
    files: record.files,
    bytes: { done: record.bytes.done, in_flight: record.bytesInFlight, total: record.bytes.total },
    rate_bytes_per_s: rate,
    eta_s: left === 0 ? 0 : rate > 0 ? Math.ceil(left / rate) : null,
    started_at: new Date(record.startedAt).toISOString(),
    stopped_at: time(record.stoppedAt),
    finished_at: time(record.finishedAt),
    url: record.url,
    labels: parseObject(record.labels),
  };
}

/** Documents the two parts of a session's path. */
export function PathOfSession(): MethodDecorator {
  return (target, name, descriptor) => {
    ApiParam({ name: 'date', example: '20260131', description: 'The UTC day on which it started.' })(
      target,
      name,
      descriptor,
    );
    ApiParam({
      name: 'encoded_session',
      example: 'my%20session',
      description: 'The encoded text; percent-encoded once more in the path: `my%2520session`.',
    })(target, name, descriptor);
  };
}

function exampleLine(): string {
  return '{"name":"a.bin","url":"https://account.blob.core.windows.net/ingest/20260131/my%2520session/a.bin","size":12,"md5":"…","mtime":"2026-01-31T12:00:00.000Z","attempts":1,"started":"…","finished":"…","uploader":"uploader-0"}\n';
}
