import {
  BadRequestException,
  Body,
  ConflictException,
  Controller,
  HttpCode,
  NotFoundException,
  Post,
  Res,
} from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiProperty, ApiTags } from '@nestjs/swagger';
import { IsString } from 'class-validator';
import type { Response } from 'express';
import { fileNameFault, parseSessionKey } from '@app/shared/domain';
import { ApiParts } from '../parts.js';
import { Problems } from '../problems/decorators.js';

/** The longest that bringing a file back may take; milliseconds. */
const RESTORE_MS = 30_000;

/** Body of `POST /v1/files/restore`. */
export class RestoreRequest {
  @ApiProperty({ example: '20260131/my%20session', description: '`<date>/<encoded_session>`' })
  @IsString()
  session!: string;
  @ApiProperty({ example: 'report.bin', description: 'With its path, where it came from a sub-folder.' })
  @IsString()
  filename!: string;
}

/** A file that is back. */
export class RestoredFile {
  @ApiProperty({ example: 'report.bin' }) filename!: string;
  @ApiProperty({ example: true }) restored!: boolean;
}

/** The undo window: sources that are kept for a while after their blobs were verified. */
@ApiTags('files')
@Controller('v1/files')
export class RestoreController {
  constructor(private readonly parts: ApiParts) {}

  @Post('restore')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Bring a kept source back to the drop folder',
    description:
      'With APP_KEEP_DONE_S the source of a stored file is kept for a while. It goes back under its name and with its times, never over another file, and is then taken like any file that is dropped; its blob stays. Without a living scanner: 503.',
  })
  @ApiBody({ type: RestoreRequest })
  @ApiOkResponse({ type: RestoredFile })
  @Problems(400, 404, 409)
  async restore(
    @Body() { session, filename }: RestoreRequest,
    @Res({ passthrough: true }) response: Response,
  ): Promise<RestoredFile> {
    if (!parseSessionKey(session))
      throw new BadRequestException(
        `session must be <date>/<encoded_session>, such as 20260131/my%20session`,
      );
    const fault = fileNameFault(filename);
    if (fault !== null) throw new BadRequestException(`filename: ${fault}`);
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const question = { session, filename };
    const { result } = await this.parts.asking.ask('scanner', 'restore', question, RESTORE_MS, gone.signal);
    switch (result) {
      case 'restored':
        return { filename, restored: true };
      case 'symlink':
        throw new ConflictException(
          `a folder on the way to ${filename} is a symlink in the drop folder, which is not followed; take it away, and ask again`,
        );
      case 'taken':
        throw new ConflictException(
          `${filename} stands in the drop folder already, or a file that has the name of its folder; once that one is through, or taken away, ask again`,
        );
      case 'off':
        throw new NotFoundException('no source is kept: APP_KEEP_DONE_S of the scanner is 0');
      default:
        throw new NotFoundException(
          `no source of ${filename} is kept for ${session}; it may be back in the drop folder, or its time (APP_KEEP_DONE_S) is over`,
        );
    }
  }
}
