import {
  BadRequestException,
  Body,
  Controller,
  Get,
  HttpCode,
  NotFoundException,
  Param,
  Post,
  Query,
} from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiParam, ApiQuery, ApiTags } from '@nestjs/swagger';
import {
  FILE_STATES,
  jobId,
  parseSessionKey,
  sessionKey,
  type FileState,
  type SessionRef,
} from '@app/shared/domain';
import { queueBrakes } from '@app/shared/queue';
import type { FileRecord } from '@app/shared/records';
import { Paged, readLimit } from '../page.js';
import { ApiParts } from '../parts.js';
import { Problems } from '../problems/decorators.js';
import { FileAndOthers, FileList, Retried, RetryRequest, type FileView } from './files.dto.js';
import { listFiles } from './listing.js';
import { retryFailed } from './retry.js';
import { incomingView, recordView } from './view.js';

/** Records of a name that are shown, and how many are searched for those of one session. */
const RECORDS = 50;
const RECORDS_SEARCHED = 1000;
/** Lines of a file's log; the queue keeps as many. */
const LOG_LINES = 200;

/** Where files are, and why. */
@ApiTags('files')
@Controller('v1/files')
export class FilesController {
  constructor(private readonly parts: ApiParts) {}

  @Get()
  @ApiOperation({
    summary: 'Files, newest first, or by the beginning of their names',
    description:
      'Files in the drop folder (settling, held, ignored) come first, by name; then those that were enqueued. Walked page by page, what stands throughout comes once, also where it moves on meanwhile; what is dropped or trimmed meanwhile may be left out. A page may hold fewer than `limit`; only `next_cursor` null is the end.',
  })
  @ApiQuery({
    name: 'state',
    required: false,
    enum: FILE_STATES,
    description: 'Only files in this state; all without.',
  })
  @ApiQuery({
    name: 'session',
    required: false,
    description: '`<date>/<encoded_session>`',
    schema: { type: 'string', example: '20260131/my%20session' },
  })
  @ApiQuery({
    name: 'prefix',
    required: false,
    description:
      'Only files whose name begins so, over all states, old records included; compared byte by byte, no character of it means anything else. Records come by name then, of one name the older first.',
    schema: { type: 'string', example: 'camera-7/2026-01-' },
  })
  @Paged()
  @ApiOkResponse({ type: FileList })
  @Problems(400)
  async list(
    @Query('state') state?: string,
    @Query('session') sessionText?: string,
    @Query('prefix') prefix?: string,
    @Query('limit') limitText?: string,
    @Query('cursor') cursorText?: string,
  ): Promise<FileList> {
    return listFiles(this.parts, {
      state: readState(state),
      session: readSessionFilter(sessionText),
      beginning: readPrefix(prefix),
      limit: readLimit(limitText),
      cursor: cursorText,
    });
  }

  @Get(':filename')
  @ApiOperation({
    summary: 'Where a file is, and why',
    description:
      'The newest record of the name; where that is done and of another session than the active one, `why` says so. With `session` only what is known of the name in that session: 404 where it is nothing, whatever an earlier session did with the name.',
  })
  @ApiParam({ name: 'filename', example: 'a.bin', description: 'Percent-encoded.' })
  @ApiQuery({
    name: 'session',
    required: false,
    description: '`<date>/<encoded_session>`: only the records of this session.',
    schema: { type: 'string', example: '20260131/my%20session' },
  })
  @ApiOkResponse({ type: FileAndOthers })
  @Problems(400, 404)
  async one(
    @Param('filename') filename: string,
    @Query('session') sessionText?: string,
  ): Promise<FileAndOthers> {
    const { gate, incoming, history, queue, pods, sessions } = this.parts;
    const session = readSessionFilter(sessionText);
    const wanted = session && sessionKey(session);
    const [watch, entry, all, view, brakes, alive] = await gate.ask(() =>
      Promise.all([
        sessions.watch(),
        incoming.entry(filename),
        history.find(filename, wanted === null ? RECORDS : RECORDS_SEARCHED),
        incoming.view(),
        queueBrakes(queue),
        pods.alive(),
      ]),
    );
    const active = watch?.session ? sessionKey(watch.session) : null;
    const records = all.filter((record) => wanted === null || sessionKey(record.session) === wanted);
    // what waits in the drop folder goes to the active session
    const waits = entry !== null && (wanted === null || wanted === active);
    const found: FileView[] = [
      ...(waits ? [incomingView(filename, entry, Date.now())] : []),
      ...records.slice(0, RECORDS).map((record) => recordView(record, brakes)),
    ];
    const [newest, ...others] = found;
    if (newest && waits) return { ...newest, others, log: [] };
    if (newest) {
      const log = records[0] === all[0] ? await this.logOf(filename) : [];
      return { ...newest, why: `${newest.why}${ofAnother(records[0], active)}`, others, log };
    }
    const scanned =
      view !== null
        ? `${view.unexamined} files in incoming are not examined yet`
        : alive.some(({ role }) => role === 'scanner')
          ? 'no scan has ended lately, though a scanner lives: GET /v1/status says why'
          : 'no scanner is alive to look into incoming';
    const where = wanted === null ? '' : ` in the session ${wanted}`;
    throw new NotFoundException(`no file of this name is known${where}${elsewhere(all[0])}; ${scanned}`);
  }

  @Post('retry')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Send quarantined files back to work',
    description: 'With all their attempts. No filter means all of them.',
  })
  @ApiBody({
    type: RetryRequest,
    required: false,
    examples: { all: { value: {} }, some: { value: { filenames: ['a.bin'] } } },
  })
  @ApiOkResponse({ type: Retried })
  @Problems(400, 413, 415)
  async retry(@Body() body: RetryRequest): Promise<Retried> {
    return {
      retried: await retryFailed(this.parts, {
        session: readSessionFilter(body.session),
        filenames: body.filenames ?? null,
      }),
    };
  }

  /** What the newest job of a name has said, oldest first. */
  private async logOf(filename: string): Promise<string[]> {
    const { gate, queue } = this.parts;
    const { logs } = await gate.ask(() => queue.getJobLogs(jobId(filename), 0, LOG_LINES - 1));
    return logs;
  }
}

/** A done file of another session says nothing of what was dropped since under its name. */
function ofAnother(record: FileRecord | undefined, active: string | null): string {
  if (record?.state !== 'done' || active === null || sessionKey(record.session) === active) return '';
  return `, in the session ${sessionKey(record.session)}; nothing is known of this name in the active one, ${active}`;
}

function elsewhere(record: FileRecord | undefined): string {
  return record === undefined ? '' : `; the newest of it is of the session ${sessionKey(record.session)}`;
}

function readState(text: string | undefined): FileState | null {
  if (text === undefined || text === '') return null;
  const state = FILE_STATES.find((candidate) => candidate === text);
  if (!state) throw new BadRequestException(`state must be one of ${FILE_STATES.join(', ')}`);
  return state;
}

function readPrefix(text: unknown): string | null {
  if (text === undefined || text === '') return null;
  if (typeof text !== 'string') throw new BadRequestException('prefix must be given once');
  return text;
}

function readSessionFilter(text: unknown): SessionRef | null {
  if (text === undefined || text === null || text === '') return null;
  const session = typeof text === 'string' ? parseSessionKey(text) : null;
  if (!session)
    throw new BadRequestException('session must be <date>/<encoded_session>, such as 20260131/my%20session');
  return session;
}
