import { Body, Controller, HttpCode, NotFoundException, Param, Post, Res } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { sessionKey } from '@app/shared/domain';
import { ApiParts } from '../parts.js';
import { Problems } from '../problems/decorators.js';
import { PathOfSession, readSession } from './sessions.controller.js';
import { Verification, VerifyRequest } from './verify.dto.js';
import { verifySession } from './verify.js';

/** Whether a session's blobs are still what was verified. */
@ApiTags('sessions')
@Controller('v1/sessions')
export class VerifyController {
  constructor(private readonly parts: ApiParts) {}

  @Post(':date/:encoded_session/verify')
  @HttpCode(200)
  @ApiOperation({
    summary: "Compare a session's blobs with what was verified",
    description:
      'An uploader looks at each blob again: whether it is there, its size, whether anybody has written it since (its ETag), its tier. With `deep` it also reads the bytes. Nothing is changed. An answer ends after some 50 s; `next_cursor` goes on. Where the client goes, the work ends. Without a living uploader: 503.',
  })
  @PathOfSession()
  @ApiBody({ type: VerifyRequest, required: false })
  @ApiOkResponse({ type: Verification })
  @Problems(400, 404)
  async verify(
    @Param('date') date: string,
    @Param('encoded_session') encoded: string,
    @Body() body: VerifyRequest,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Verification> {
    const { gate, sessions, asking } = this.parts;
    const session = readSession(date, encoded);
    const [record] = await gate.ask(() => sessions.read([sessionKey(session)]));
    if (!record) throw new NotFoundException(`no session ${sessionKey(session)} is known`);
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const found = await verifySession(asking, session, body, gone.signal);
    return { ...found, without_record: record.trimmed };
  }
}
