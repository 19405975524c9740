import { Catch, HttpException, HttpStatus, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import type { Response } from 'express';
import { STATUS_CODES } from 'node:http';
import { InvalidSessionName, messageOf } from '@app/shared/domain';
import type { Logger } from '@app/shared/runtime';
import { NoAnswer } from '../asking.js';
import { RedisAway } from '../redis-gate.js';

/** What every error looks like: RFC 9457. */
export class Problem {
  @ApiProperty({ example: 400, description: 'The HTTP status.' })
  status!: number;
  @ApiProperty({ example: 'Bad Request' })
  title!: string;
  @ApiProperty({
    example: 'session_name holds a control character; remove it',
    description: 'What to change.',
  })
  detail!: string;
}

/** Sends a problem document. */
export function sendProblem(response: Response, status: number, detail: string): void {
  if (response.headersSent) return void response.end();
  response
    .status(status)
    .type('application/problem+json')
    .send(JSON.stringify({ status, title: STATUS_CODES[status] ?? 'Error', detail }));
}

/** Turns whatever was thrown into a problem document; what the caller did is 4xx, and nothing inside is shown. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly log: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const { status, detail } = this.read(error);
    sendProblem(host.switchToHttp().getResponse<Response>(), status, detail);
  }

  private read(error: unknown): { status: number; detail: string } {
    if (error instanceof RedisAway || error instanceof NoAnswer)
      return { status: HttpStatus.SERVICE_UNAVAILABLE, detail: error.message };
    if (error instanceof InvalidSessionName) return { status: HttpStatus.BAD_REQUEST, detail: error.message };
    if (error instanceof HttpException) return { status: error.getStatus(), detail: detailOf(error) };
    this.log.error(
      { stack: error instanceof Error ? error.stack : undefined },
      `a request failed: ${messageOf(error)}`,
    );
    return { status: HttpStatus.INTERNAL_SERVER_ERROR, detail: 'an error inside the api; its log says more' };
  }
}

function detailOf(error: HttpException): string {
  const answer = error.getResponse();
  const message: unknown = typeof answer === 'object' && 'message' in answer ? answer.message : answer;
  return Array.isArray(message) ? message.join('; ') : String(message);
}
