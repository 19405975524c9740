import { ApiProperty } from '@nestjs/swagger';
import { LabelsView } from './labels.dto.js';

/** Files of a session by state. */
export class SessionFiles {
  @ApiProperty({ example: 10 }) queued!: number;
  @ApiProperty({ example: 4 }) active!: number;
  @ApiProperty({ example: 0 }) delayed!: number;
  @ApiProperty({ example: 120 }) done!: number;
  @ApiProperty({ example: 1, description: 'Quarantined.' }) failed!: number;
}

/** Bytes of a session. */
export class SessionBytes {
  @ApiProperty({ example: 12582912000 }) done!: number;
  @ApiProperty({
    example: 943718400,
    description: 'Of files that an uploader is at: what is in the store already, and not in `done`.',
  })
  in_flight!: number;
  @ApiProperty({
    example: 14050918400,
    description: 'Of all files but failed ones; these count again once they are retried.',
  })
  total!: number;
}

/** What is to be verified before a session is complete. */
export class SessionMissing {
  @ApiProperty({ example: 80 }) files!: number;
  @ApiProperty({
    type: Number,
    nullable: true,
    example: 1468006400,
    description: 'Null where files are to come whose bytes nobody has said.',
  })
  bytes!: number | null;
}

/** What a session expects. */
export class SessionExpect {
  @ApiProperty({ type: Number, nullable: true, example: 200 }) files!: number | null;
  @ApiProperty({ type: Number, nullable: true, example: null }) bytes!: number | null;
}

/** A session. */
export class SessionView {
  @ApiProperty({ example: '20260131' }) date_prefix!: string;
  @ApiProperty({ example: 'my session' }) session_name!: string;
  @ApiProperty({ example: 'my%20session' }) encoded_session!: string;
  @ApiProperty({
    enum: ['active', 'draining', 'finished'],
    example: 'draining',
    description: 'Finished: not active, and nothing of it queued, delayed or active; a retry opens it again.',
  })
  state!: string;
  @ApiProperty({
    example: false,
    description:
      'It is finished, or its end marker and what it expects have come; and every one of its files is verified in the store, none failed. What it expects and does not have keeps also a finished one from being complete.',
  })
  complete!: boolean;
  @ApiProperty({
    type: SessionMissing,
    nullable: true,
    description:
      'What is to be verified before it is complete, as far as is known: what it expects and does not have, and what is under way. Failed files are not in it, they are in `files.failed`. Null where it is complete.',
  })
  missing!: SessionMissing | null;
  @ApiProperty({ type: SessionExpect, nullable: true, description: 'As the start said it.' })
  expect!: SessionExpect | null;
  @ApiProperty({ type: String, nullable: true, example: '_SUCCESS', description: 'As the start said it.' })
  end_marker!: string | null;
  @ApiProperty({ type: SessionFiles }) files!: SessionFiles;
  @ApiProperty({ type: SessionBytes }) bytes!: SessionBytes;
  @ApiProperty({ example: 104857600, description: 'Of all uploaders, over the last seconds.' })
  rate_bytes_per_s!: number;
  @ApiProperty({ type: Number, nullable: true, example: 14, description: 'Null while nothing moves.' })
  eta_s!: number | null;
  @ApiProperty({ example: '2026-01-31T12:00:00.000Z' }) started_at!: string;
  @ApiProperty({ type: String, nullable: true, example: null }) stopped_at!: string | null;
  @ApiProperty({ type: String, nullable: true, example: null }) finished_at!: string | null;
  @ApiProperty({
    type: String,
    nullable: true,
    example: 'https://account.blob.core.windows.net/ingest/20260131/my%2520session/',
    description: 'The blob prefix as an uploader reported it.',
  })
  url!: string | null;
  @ApiProperty({
    type: LabelsView,
    nullable: true,
    description: "Its own labels, which go before the uploaders' settings; null where it has none.",
  })
  labels!: LabelsView | null;
}

/** A page of sessions, newest first. */
export class SessionList {
  @ApiProperty({ type: [SessionView] }) items!: SessionView[];
  @ApiProperty({ type: String, nullable: true, example: null }) next_cursor!: string | null;
}
