import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMaxSize, IsArray, IsOptional, IsString } from 'class-validator';
import { FILE_STATES, FILE_STEPS, type FileStep } from '@app/shared/domain';

/** Names in one retry. */
const FILENAMES_MAX = 10_000;

/** The session that a file belongs to. */
export class FileSession {
  @ApiProperty({ example: '20260131' }) date_prefix!: string;
  @ApiProperty({ example: 'my%20session' }) encoded_session!: string;
  @ApiProperty({ example: 'my session' }) session_name!: string;
}

/** How far a file is. */
export class FileProgress {
  @ApiProperty({
    example: 41943040,
    description: 'Bytes in the store; while `step` is staging, bytes that are copied from the volume.',
  })
  bytes!: number;
  @ApiProperty({ example: 40, description: 'Whole per cent.' }) percent!: number;
}

/** Bytes that each step is through with. */
export class StepBytes {
  @ApiProperty({ example: 104857600 }) claiming!: number;
  @ApiProperty({ example: 104857600, description: 'Copied from the volume.' }) staging!: number;
  @ApiProperty({ example: 41943040, description: 'In the store.' }) uploading!: number;
  @ApiProperty({ example: 0 }) verifying!: number;
  @ApiProperty({ example: 0 }) removing!: number;
}

/** Where a file is, and why. */
export class FileView {
  @ApiProperty({ example: 'a.bin' }) filename!: string;
  @ApiProperty({ enum: FILE_STATES, example: 'active' }) state!: string;
  @ApiProperty({
    example: 'uploading: 40 % (40.0 MiB of 100.0 MiB are in the store)',
    description: 'A sentence; ages in it are of now.',
  })
  why!: string;
  @ApiProperty({ type: FileSession, nullable: true, description: 'Null while it waits in the drop folder.' })
  session!: FileSession | null;
  @ApiProperty({ type: Number, nullable: true, example: 104857600 }) size!: number | null;
  @ApiProperty({ type: FileProgress, nullable: true }) progress!: FileProgress | null;
  @ApiProperty({
    enum: FILE_STEPS,
    nullable: true,
    example: 'uploading',
    description: 'What the uploader is at; null where none is.',
  })
  step!: FileStep | null;
  @ApiProperty({
    type: StepBytes,
    nullable: true,
    description: 'How far each step is; null where no uploader is at it.',
  })
  steps!: StepBytes | null;
  @ApiProperty({ example: 1, description: 'Attempts so far.' }) attempts!: number;
  @ApiProperty({ type: String, nullable: true, example: null, description: "The last error's code." }) code!:
    string | null;
  @ApiProperty({
    type: String,
    nullable: true,
    example: null,
    description: 'Of a failed file: what to do about it, one sentence; the remedy of the runbook.',
  })
  hint!: string | null;
  @ApiProperty({
    type: String,
    nullable: true,
    example: null,
    description: 'The blob; null before it is done.',
  })
  url!: string | null;
  @ApiProperty({
    type: String,
    nullable: true,
    example: null,
    description: '32 hex digits, once it is done.',
  })
  md5!: string | null;
  @ApiProperty({
    type: String,
    nullable: true,
    example: null,
    description: "64 hex digits, once it is done, where its producer's checksum asked for it.",
  })
  sha256!: string | null;
  @ApiProperty({
    type: String,
    nullable: true,
    format: 'date-time',
    example: null,
    description: "The source's modification time, once it is done.",
  })
  mtime!: string | null;
  @ApiProperty({ type: String, nullable: true, format: 'date-time', example: '2026-01-31T12:00:05.000Z' })
  queued_at!: string | null;
  @ApiProperty({
    type: String,
    nullable: true,
    format: 'date-time',
    example: '2026-01-31T12:00:06.000Z',
    description: 'Of the last attempt.',
  })
  started_at!: string | null;
  @ApiProperty({
    type: String,
    nullable: true,
    format: 'date-time',
    example: null,
    description: 'Done, or quarantined.',
  })
  finished_at!: string | null;
  @ApiProperty({
    type: String,
    nullable: true,
    example: 'uploader-7d9f-x2x4p',
    description: 'The pod of the last attempt.',
  })
  uploader!: string | null;
}

/** One name: its newest record, and the older ones. */
export class FileAndOthers extends FileView {
  @ApiProperty({ type: [FileView], description: 'Older records of the same name, newest first.' })
  others!: FileView[];
  @ApiProperty({
    type: [String],
    example: ['2026-01-31T12:00:07.000Z stage took 1.2 s'],
    description:
      'What the attempts of the newest record said, oldest first, at most 200 lines; none while it waits in the drop folder. Bull Board shows the same.',
  })
  log!: string[];
}

/** A page of files. */
export class FileList {
  @ApiProperty({ type: [FileView] }) items!: FileView[];
  @ApiProperty({ type: String, nullable: true, example: null }) next_cursor!: string | null;
}

/** Body of `POST /v1/files/retry`. */
export class RetryRequest {
  @ApiPropertyOptional({
    type: String,
    nullable: true,
    example: '20260131/my%20session',
    description: 'Only files of this session.',
  })
  @IsOptional()
  @IsString({ message: 'session must be a text: <date>/<encoded_session>' })
  session?: string | null;

  @ApiPropertyOptional({
    type: [String],
    nullable: true,
    example: ['a.bin'],
    description: 'Only these; unknown names count nothing.',
  })
  @IsOptional()
  @IsArray({ message: 'filenames must be a list of texts' })
  @IsString({ each: true, message: 'filenames must be a list of texts' })
  @ArrayMaxSize(FILENAMES_MAX, { message: `filenames must hold at most ${FILENAMES_MAX} names` })
  filenames?: string[] | null;
}

/** Answer of `POST /v1/files/retry`. */
export class Retried {
  @ApiProperty({ example: 3, description: 'Quarantined files that went back to work.' }) retried!: number;
}
