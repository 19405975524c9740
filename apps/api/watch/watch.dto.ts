import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsBoolean, IsInt, IsObject, IsOptional, IsString, Max, Min, ValidateNested } from 'class-validator';
import { LabelsView } from '../sessions/labels.dto.js';

/** How much a session is to have before it is complete. */
export class Expected {
  @ApiPropertyOptional({
    type: Number,
    nullable: true,
    example: 2000,
    description: 'Every file of the session, its end marker too.',
  })
  @IsOptional()
  @IsInt({ message: 'expect.files must be a whole number' })
  @Min(1, { message: 'expect.files must be at least 1' })
  @Max(Number.MAX_SAFE_INTEGER, { message: 'expect.files is too large' })
  files?: number | null;
  @ApiPropertyOptional({ type: Number, nullable: true, example: 14050918400 })
  @IsOptional()
  @IsInt({ message: 'expect.bytes must be a whole number' })
  @Min(0, { message: 'expect.bytes must be at least 0' })
  @Max(Number.MAX_SAFE_INTEGER, { message: 'expect.bytes is too large' })
  bytes?: number | null;
}

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
    type: Expected,
    nullable: true,
    description:
      'How much is to come: the session is `complete` once so much is verified in the store. The same call on the same session may raise it; to lower it is refused with 409.',
  })
  @IsOptional()
  @IsObject({ message: 'expect must be an object such as {"files": 2000}' })
  @ValidateNested()
  @Type(() => Expected)
  expect?: Expected | null;
  @ApiPropertyOptional({
    type: String,
    nullable: true,
    example: '_SUCCESS',
    description:
      'The name of a file whose arrival says that all is dropped. It is uploaded last, once every other file of the session is verified in the store. Once given it stays with the session; another one is refused with 409.',
  })
  @IsOptional()
  @IsString({ message: 'end_marker must be a text' })
  end_marker?: string | null;

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
