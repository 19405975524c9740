import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsArray, IsOptional, IsString } from 'class-validator';
import { FILE_STATES } from '@app/shared/domain';

/** The session that a file belongs to. */
export class FileSession {
  @ApiProperty({ example: '20260131' }) date_prefix!: string;
  @ApiProperty({ example: 'my%20session' }) encoded_session!: string;
}

/** How far a file is. */
export class FileProgress {
  @ApiProperty({ example: 41943040 }) bytes!: number;
  @ApiProperty({ example: 40 }) percent!: number;
}

/** Where a file is, and why. */
export class FileView {
  @ApiProperty({ example: 'a.bin' }) filename!: string;
  @ApiProperty({ enum: FILE_STATES, example: 'active' }) state!: string;
  @ApiProperty({ example: 'settling: size changed 2 s ago' }) why!: string;
  @ApiProperty({ type: FileSession, nullable: true, description: 'Null while it waits in the drop folder.' })
  session!: FileSession | null;
  @ApiProperty({ type: Number, nullable: true, example: 104857600 }) size!: number | null;
  @ApiProperty({ type: FileProgress, nullable: true }) progress!: FileProgress | null;
  @ApiProperty({ example: 1, description: 'Attempts so far.' }) attempts!: number;
  @ApiProperty({ type: String, nullable: true, example: null, description: "The last error's code." }) code!:
    string | null;
  @ApiProperty({ type: String, nullable: true }) url!: string | null;
  @ApiProperty({ type: String, nullable: true, description: 'Hex.' }) md5!: string | null;
  @ApiProperty({ type: String, nullable: true, description: "The source's modification time." }) mtime!:
    string | null;
  @ApiProperty({ type: String, nullable: true }) queued_at!: string | null;
  @ApiProperty({ type: String, nullable: true }) started_at!: string | null;
  @ApiProperty({ type: String, nullable: true }) finished_at!: string | null;
  @ApiProperty({ type: String, nullable: true }) uploader!: string | null;
}

/** One name: its newest record, and the older ones. */
export class FileAndOthers extends FileView {
  @ApiProperty({ type: [FileView], description: 'Older records of the same name, newest first.' })
  others!: FileView[];
}

/** A page of files. */
export class FileList {
  @ApiProperty({ type: [FileView] }) items!: FileView[];
  @ApiProperty({ type: String, nullable: true, example: null }) next_cursor!: string | null;
}

/** Body of `POST /v1/files/retry`. */
export class RetryRequest {
  @ApiPropertyOptional({ example: '20260131/my%20session', description: 'Only files of this session.' })
  @IsOptional()
  @IsString({ message: 'session must be a text: <date>/<encoded_session>' })
  session?: string;

  @ApiPropertyOptional({
    type: [String],
    example: ['a.bin'],
    description: 'Only these; unknown names count nothing.',
  })
  @IsOptional()
  @IsArray({ message: 'filenames must be a list of texts' })
  @IsString({ each: true, message: 'filenames must be a list of texts' })
  filenames?: string[];
}

/** Answer of `POST /v1/files/retry`. */
export class Retried {
  @ApiProperty({ example: 3, description: 'Quarantined files that went back to work.' }) retried!: number;
}
