import { BadRequestException, Body, ConflictException, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { v7 as uuidv7 } from 'uuid';
import { blobName, blobNameFault, datePrefix, encodeSession, fileNameFault } from '@app/shared/domain';
import { BatchConflict, OtherScope, type Batch, type NamedSession } from '@app/shared/records';
import { ApiParts } from '../parts.js';
import { Problems } from '../problems/decorators.js';
import { StartedSession, SessionName, StartRequest, Stopped, StopRequest } from './watch.dto.js';
import { otherScope, textOfLabels } from './labels.js';
import { waitUntilListed } from './wait-until-listed.js';

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
    examples: {
      named: { value: { session_name: 'my session' } },
      unnamed: { value: {} },
      labelled: {
        value: {
          session_name: 'my session',
          labels: { tier: 'Cool', tags: { project: 'mars' }, metadata: { owner: 'lab_7' } },
        },
      },
      batch: { value: { session_name: 'night', expect: { files: 2000 }, end_marker: '_SUCCESS' } },
    },
  })
  @ApiOkResponse({ type: StartedSession })
  @Problems(400, 409, 413, 415)
  async start(@Body() body: StartRequest): Promise<StartedSession> {
    const given = body.session_name ?? '';
    const name = given.trim() === '' ? `00-session-${uuidv7()}` : given;
    const encodedSession = encodeSession(name);
    const { gate, sessions, labels: all } = this.parts;
    const labels = textOfLabels(body.labels, all);
    // all apis agree on the day, whatever their own clocks say
    const now = await gate.ask(() => sessions.now());
    const session = { datePrefix: datePrefix(now), encodedSession, name };
    const batch = batchOf(body, session);
    if (Object.values(batch).some((value) => value !== null))
      while (!(await gate.ask(() => sessions.countNames(session))));
    const replaced = await gate.ask(() => sessions.start(session, labels, batch));
    if (replaced instanceof OtherScope) throw otherScope(replaced);
    if (replaced instanceof BatchConflict) throw new ConflictException(conflictOf(replaced));
    return { ...nameOf(session), replaced: replaced && nameOf(replaced) };
  }

  @Post('stop')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Stop the active session',
    description:
      'No new file is enqueued; what is queued goes on. With `drain` every file that stands in the drop folder is taken first, `GET /v1/status` shows `stopping` until then, and a start ends that.',
  })
  @ApiBody({
    type: StopRequest,
    required: false,
    examples: { now: { value: {} }, once_through: { value: { drain: true } } },
  })
  @ApiOkResponse({ type: Stopped })
  @Problems(400, 413, 415)
  async stop(@Body() body: StopRequest): Promise<Stopped> {
    const { gate, sessions } = this.parts;
    if (body.drain !== true) {
      await gate.ask(() => sessions.stop());
      return { enabled: false };
    }
    const since = await gate.ask(() => sessions.stopOnceThrough());
    if (since === null) return { enabled: false, stopping: false };
    await waitUntilListed(this.parts, since);
    return { enabled: true, stopping: true };
  }
}

/** What the caller says that the session is to have. @throws BadRequestException */
function batchOf({ expect, end_marker }: StartRequest, session: NamedSession): Batch {
  const endMarker = end_marker ?? null;
  const fault =
    endMarker === null ? null : (fileNameFault(endMarker) ?? blobNameFault(blobName(session, endMarker)));
  if (fault !== null)
    throw new BadRequestException(`end_marker cannot be the name of a dropped file: ${fault}`);
  return { files: expect?.files ?? null, bytes: expect?.bytes ?? null, endMarker };
}

function conflictOf({ what, holds }: BatchConflict): string {
  return what === 'endMarker'
    ? `the end marker of this session is ${JSON.stringify(holds)} and stays; start another session, or send that name`
    : `expect.${what} of this session is ${holds} already and may only be raised; start another session, or leave it as it is`;
}

function nameOf({ datePrefix: date_prefix, name, encodedSession }: NamedSession): SessionName {
  return { date_prefix, session_name: name, encoded_session: encodedSession };
}
