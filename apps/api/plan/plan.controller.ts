import { BadRequestException, Controller, Get, Query, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { datePrefix, encodeSession, type SessionRef } from '@app/shared/domain';
import { makeCursor, Paged, readCursor, readLimit } from '../page.js';
import { ApiParts } from '../parts.js';
import { Problems } from '../problems/decorators.js';
import { Plan } from './plan.dto.js';
import { planFiles } from './plan.js';

/** A name as long as that of a session that is started without one. */
const UNNAMED = '00-session-00000000-0000-0000-0000-000000000000';
const NO_SESSION =
  'no session is active, so no URL is known yet; ask with session_name for one that is not started yet';

/** What would happen to the files that wait in the drop folder. */
@ApiTags('plan')
@Controller('v1/plan')
export class PlanController {
  constructor(private readonly parts: ApiParts) {}

  @Get()
  @ApiOperation({
    summary: 'What would become of the files that wait',
    description:
      'Every file that stands in the drop folder, by name: the blob that it would become, whether one stands there, and why it would be refused, by the very checks of the move. What is ignored is not listed: `GET /v1/files?state=ignored` has it. Nothing is written anywhere. For the active session, or for `session_name`; files that are queued already keep their session. Without a living scanner: 503; without an uploader `url` and `exists` are null, and `note` says so.',
  })
  @ApiQuery({
    name: 'session_name',
    required: false,
    description: 'As if a session of this name were started today; without it the active session.',
    schema: { type: 'string', example: 'my session' },
  })
  @Paged()
  @ApiOkResponse({ type: Plan })
  @Problems(400)
  async plan(
    @Res({ passthrough: true }) response: Response,
    @Query('session_name') name?: string,
    @Query('limit') limitText?: string,
    @Query('cursor') cursorText?: string,
  ): Promise<Plan> {
    const limit = readLimit(limitText);
    const after = readCursor('plan', cursorText, ({ after }) => (typeof after === 'string' ? after : null));
    const session = await this.session(name);
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const page = await planFiles(
      this.parts.asking,
      session ?? (await this.today(UNNAMED)),
      session !== null,
      { after, limit },
      gone.signal,
    );
    return {
      items: page.items,
      next_cursor: page.next === null ? null : makeCursor('plan', { after: page.next }),
      note: page.note ?? (session ? null : NO_SESSION),
    };
  }

  /** The session that is asked for, or the active one; null where there is none. @throws BadRequestException, InvalidSessionName */
  private async session(name: unknown): Promise<SessionRef | null> {
    if (name !== undefined && typeof name !== 'string')
      throw new BadRequestException('session_name must be given once');
    if (name !== undefined && name.trim() !== '') return this.today(name);
    const watch = await this.parts.gate.ask(() => this.parts.sessions.watch());
    return watch?.session ?? null;
  }

  private async today(name: string): Promise<SessionRef> {
    const encodedSession = encodeSession(name);
    // the day of Redis, as for a start
    const now = await this.parts.gate.ask(() => this.parts.sessions.now());
    return { datePrefix: datePrefix(now), encodedSession };
  }
}
