import { Controller, Get, Headers, Req, Res } from '@nestjs/common';
import { ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { EVENTS_KEPT } from '@app/shared/records';
import { Problems } from '../problems/decorators.js';
import { EventStream } from './event-stream.js';

const DESCRIPTION = `Server-sent events; the data of each is a JSON object.

- \`file\`: a file was \`dropped\` or changed its state, with \`why\`; with \`size\` in bytes, \`code\` where it failed, \`url\` where it is done. \`session\` is null until it is queued; a file in the drop folder may be told again when the scanner was restarted.
- \`progress\`: bytes in the store, or of the \`step\` that it names.
- \`session\`: a session became \`active\`, \`draining\` or \`finished\`.
- \`reset\`: events before it are no longer kept; ask GET /v1/status.

Each has an id. Whoever connects with the last one in \`Last-Event-ID\`, as a browser does by itself, is told first what came since; about ${EVENTS_KEPT.toLocaleString('en')} are kept, and an event may come twice. Without it begins what happens from now on.`;

/** What happens, as it happens. */
@ApiTags('events')
@Controller('v1/events')
export class EventsController {
  constructor(private readonly stream: EventStream) {}

  @Get()
  @ApiOperation({ summary: 'What happens, as it happens', description: DESCRIPTION })
  @ApiHeader({
    name: 'Last-Event-ID',
    required: false,
    description: 'The id of the last event that was heard; what came since is told first.',
    schema: { type: 'string', example: '1769817600000-0' },
  })
  @ApiOkResponse({
    content: {
      'text/event-stream': {
        schema: { type: 'string' },
        example:
          'event: file\ndata: {"type":"file","filename":"a.bin","session":"20260131/my%20session","state":"done","why":"verified in the store","size":104857600,"url":"https://account.blob.core.windows.net/ingest/20260131/my%2520session/a.bin"}\nid: 1769817600000-0\n\n',
      },
    },
  })
  @Problems()
  events(
    @Req() request: Request,
    @Res() response: Response,
    @Headers('last-event-id') lastId: string | undefined,
  ): void {
    // whoever asks for the head alone waits for no event
    if (request.method === 'HEAD') return void response.setHeader('Content-Type', 'text/event-stream').end();
    this.stream.add(response, lastId || undefined);
  }
}
