import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsObject, IsOptional, IsString } from 'class-validator';
import { LabelsView } from '../sessions/labels.dto.js';

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

  @ApiPropertyOptional({
    type: LabelsView,
    nullable: true,
    description:
      'What each blob of the session carries: over APP_AZURE_ACCESS_TIER and the like of the uploaders, tag by tag. The same call on the same session changes them for files whose attempt begins later; omitted or null keeps them, `{}` takes them away.',
  })
  @IsOptional()
  @IsObject({ message: 'labels must be an object: {"tier", "tags", "metadata", "encryption_scope"}' })
  labels?: object | null;
}

/** A session, as it is named. */
export class SessionName {
  @ApiProperty({ example: '20260131', description: 'The UTC day of the start; it stays with the session.' })
  date_prefix!: string;
  @ApiProperty({ example: 'my session' })
  session_name!: string;
  @ApiProperty({ example: 'my%20session', description: 'What stands in folders and blob names, literally.' })
  encoded_session!: string;
}

/** Answer of `POST /v1/watch/start`. */
export class StartedSession extends SessionName {
  @ApiProperty({
    type: SessionName,
    nullable: true,
    description:
      'The session that it ended by taking its place; null where none was active, or this very one.',
  })
  replaced!: SessionName | null;
}

/** Body of `POST /v1/watch/stop`. */
export class StopRequest {
  @ApiPropertyOptional({
    type: Boolean,
    nullable: true,
    default: false,
    example: true,
    description:
      'First take every file that stands in the drop folder now, then stop. Files that come later wait for the next session.',
  })
  @IsOptional()
  @IsBoolean({ message: 'drain must be true or false' })
  drain?: boolean | null;
}

/** Answer of `POST /v1/watch/stop`. */
export class Stopped {
  @ApiProperty({ example: false, description: 'True while what stood in the drop folder is taken.' })
  enabled!: boolean;
  @ApiPropertyOptional({
    example: true,
    description: 'With `drain`: true where a session was active, which stops once through.',
  })
  stopping?: boolean;
}
