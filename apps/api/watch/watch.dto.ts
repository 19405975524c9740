import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional, IsString } from 'class-validator';

/** Body of `POST /v1/watch/start`. */
export class StartRequest {
  @ApiPropertyOptional({
    type: String,
    nullable: true,
    example: 'my session',
    description:
      'The session; omitted, null or blank: a new one, `00-session-<uuid v7>`. Kept as given, at most 200 bytes after percent-encoding.',
  })
  @IsOptional()
  @IsString({ message: 'session_name must be a text' })
  session_name?: string | null;
}

/** Answer of `POST /v1/watch/start`. */
export class StartedSession {
  @ApiProperty({ example: '20260131', description: 'The UTC day of the start; it stays with the session.' })
  date_prefix!: string;
  @ApiProperty({ example: 'my session' })
  session_name!: string;
  @ApiProperty({ example: 'my%20session', description: 'What stands in folders and blob names, literally.' })
  encoded_session!: string;
}

/** Answer of `POST /v1/watch/stop`. */
export class Stopped {
  @ApiProperty({ example: false })
  enabled!: false;
}
