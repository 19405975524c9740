import { Controller, Get, Req, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Problems } from '../problems/decorators.js';
import { EventStream } from './event-stream.js';

/** What happens, as it happens. */
@ApiTags('events')
@Controller('v1/events')
export class EventsController {
  constructor(private readonly stream: EventStream) {}

  @Get()
  @ApiOperation({
    summary: 'What happens, as it happens',
    description:
      'Server-sent events: `file` (a state changed), `progress` (bytes in the store), `session` (its state changed). Nothing is repeated after a reconnect; ask GET /v1/status first.',
  })
  @ApiOkResponse({
    content: {
      'text/event-stream': {
        schema: { type: 'string' },
        example:
          'event: progress\ndata: {"type":"progress","filename":"a.bin","session":"20260131/my%20session","bytes":8388608,"size":104857600}\n\n',
      },
    },
  })
  @Problems()
  events(@Req() request: Request, @Res() response: Response): void {
    // whoever asks for the head alone waits for no event
    if (request.method === 'HEAD') return void response.setHeader('Content-Type', 'text/event-stream').end();
    this.stream.add(response);
  }
}
