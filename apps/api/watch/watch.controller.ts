import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { v7 as uuidv7 } from 'uuid';
import { datePrefix, encodeSession } from '@app/shared/domain';
import { ApiParts } from '../parts.js';
import { Problems } from '../problems/decorators.js';
import { StartedSession, StartRequest, Stopped } from './watch.dto.js';

/** Starts and stops sessions. */
@ApiTags('watch')
@Controller('v1/watch')
export class WatchController {
  constructor(private readonly parts: ApiParts) {}

  @Post('start')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Start a session, or switch to another',
    description:
      'Files that are enqueued from now on go to `<date>/<encoded_session>/`. The same name on the same UTC day is the same session, also after a stop.',
  })
  @ApiBody({
    type: StartRequest,
    required: false,
    examples: { named: { value: { session_name: 'my session' } }, unnamed: { value: {} } },
  })
  @ApiOkResponse({ type: StartedSession })
  @Problems(400, 413, 415)
  async start(@Body() body: StartRequest): Promise<StartedSession> {
    const given = body.session_name ?? '';
    const name = given.trim() === '' ? `00-session-${uuidv7()}` : given;
    const encodedSession = encodeSession(name);
    const { gate, sessions } = this.parts;
    // all apis agree on the day, whatever their own clocks say
    const now = await gate.ask(() => sessions.now());
    const session = { datePrefix: datePrefix(now), encodedSession, name };
    await gate.ask(() => sessions.start(session));
    return { date_prefix: session.datePrefix, session_name: name, encoded_session: session.encodedSession };
  }

  @Post('stop')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Stop the active session',
    description: 'No new file is enqueued; what is queued goes on.',
  })
  @ApiOkResponse({ type: Stopped })
  @Problems(415)
  async stop(): Promise<Stopped> {
    await this.parts.gate.ask(() => this.parts.sessions.stop());
    return { enabled: false };
  }
}
