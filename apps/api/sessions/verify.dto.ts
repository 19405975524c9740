import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsInt, IsOptional, IsString, Max, Min } from 'class-validator';

/** The least bytes a second: a block must be read again within one question. */
const RATE_MIN = 256 * 1024;

/** Body of `POST /v1/sessions/{date}/{encoded_session}/verify`; it may be left out. */
export class VerifyRequest {
  @ApiPropertyOptional({
    example: false,
    description: 'Also read the bytes again and compare them with the MD5s taken when the files were read.',
  })
  @IsOptional()
  @IsBoolean()
  deep?: boolean;
  @ApiPropertyOptional({
    example: 52428800,
    minimum: RATE_MIN,
    description:
      'With `deep`: read at most so many bytes a second; without, as fast as the store gives them.',
  })
  @IsOptional()
  @IsInt({ message: 'rate_bytes_per_s must be a whole number of bytes a second' })
  @Min(RATE_MIN, { message: `rate_bytes_per_s must be at least ${RATE_MIN}` })
  @Max(Number.MAX_SAFE_INTEGER)
  rate_bytes_per_s?: number;
  @ApiPropertyOptional({
    type: String,
    example: 'eyJhZnRlciI6MTIwLCJibG9jayI6MH0.0a1b2c3d4e5f',
    description: '`next_cursor` of the answer before; the rest of the body as it was.',
  })
  @IsOptional()
  @IsString()
  cursor?: string;
}

/** A blob that is not as it was when it was verified. */
export class DifferingBlob {
  @ApiProperty({ example: 'report.bin' }) filename!: string;
  @ApiProperty({ enum: ['missing', 'changed', 'tier'], example: 'changed' }) what!: string;
  @ApiProperty({ example: 'it has 11 bytes instead of 12' }) detail!: string;
}

/** What shows that blobs are as they were. */
export class ProvedBy {
  @ApiProperty({
    example: 118,
    description: "The store's ETag is the one that was verified: nobody has written the blob since.",
  })
  etag!: number;
  @ApiProperty({
    example: 0,
    description: 'The bytes were read again (`deep`) and are those that were uploaded.',
  })
  bytes!: number;
  @ApiProperty({
    example: 1,
    description:
      'Its block list is one of ours, of the right size; the record has no ETag. A tool that keeps the ids of the blocks could hide other bytes; `deep` finds them.',
  })
  blocks!: number;
  @ApiProperty({
    example: 1,
    description:
      'Its size, and its Content-MD5 where it has one, which anybody may set; the record has no ETag.',
  })
  size!: number;
}

/** What a verification found. */
export class Verification {
  @ApiProperty({ example: 120, description: 'Blobs that were compared.' }) checked!: number;
  @ApiProperty({ type: [DifferingBlob], description: 'At most about 2,000; then `next_cursor` is set.' })
  differing!: DifferingBlob[];
  @ApiProperty({ type: ProvedBy, description: 'What showed it, of those that are as they were.' })
  proved_by!: ProvedBy;
  @ApiProperty({
    example: 2,
    description: 'Earlier drops whose blob a later one of the same name has replaced; not compared.',
  })
  superseded!: number;
  @ApiProperty({
    example: 0,
    description: 'Blobs that a later drop of the name may write at this moment; not compared.',
  })
  under_way!: number;
  @ApiProperty({
    example: 0,
    description: 'Done files whose record went by the history limits; not compared.',
  })
  without_record!: number;
  @ApiProperty({
    type: String,
    nullable: true,
    example: null,
    description: 'Where to go on: an answer ends after some 50 s. Null: all of the session was looked at.',
  })
  next_cursor!: string | null;
}
