import { ApiProperty } from '@nestjs/swagger';

/** Jobs by state. */
export class QueueCounts {
  @ApiProperty({ example: 12 }) waiting!: number;
  @ApiProperty({ example: 4 }) active!: number;
  @ApiProperty({ example: 0, description: 'Waiting for another attempt, for room or for the store.' })
  delayed!: number;
  @ApiProperty({ example: 1, description: 'Quarantined.' }) failed!: number;
}

/** The drop folder as the scanner last saw it. */
export class IncomingCounts {
  @ApiProperty({ example: 20, description: 'Entries in the folder.' }) seen!: number;
  @ApiProperty({ example: 2 }) settling!: number;
  @ApiProperty({ example: 0, description: 'A file of the same name is under way or quarantined.' })
  held!: number;
  @ApiProperty({
    example: 1,
    description: 'No plain files, dot names, ignored patterns, names that are not UTF-8.',
  })
  ignored!: number;
  @ApiProperty({ example: 7 }) oldest_age_s!: number;
}

/** Room on a disk; bytes and counts. */
export class DiskUseView {
  @ApiProperty({ example: 107374182400 }) bytes_total!: number;
  @ApiProperty({ example: 53687091200 }) bytes_free!: number;
  @ApiProperty({ example: 6553600 }) inodes_total!: number;
  @ApiProperty({ example: 6550000 }) inodes_free!: number;
}

/** The disks of a pod. */
export class PodDisks {
  @ApiProperty({ type: DiskUseView, nullable: true }) volume!: DiskUseView | null;
  @ApiProperty({ type: DiskUseView, nullable: true }) staging!: DiskUseView | null;
}

/** A live pod. */
export class PodView {
  @ApiProperty({ example: 'a1b2c3d4e5f6' }) id!: string;
  @ApiProperty({ enum: ['api', 'scanner', 'uploader'], example: 'uploader' }) role!: string;
  @ApiProperty({ example: 'uploader-7d9f-x2x4p' }) name!: string;
  @ApiProperty({ example: '0.2.0' }) version!: string;
  @ApiProperty({ example: '2026-01-31T12:00:00.000Z' }) started_at!: string;
  @ApiProperty({ example: true }) ready!: boolean;
  @ApiProperty({ example: false, description: 'A scanner that waits for the lease of another.' })
  standby!: boolean;
  @ApiProperty({
    type: String,
    nullable: true,
    example: '0198f0d4-4d5c-7cc1-8a5e-2f6f3f1b9c10',
    description: 'The id of the volume it has.',
  })
  volume!: string | null;
  @ApiProperty({ type: PodDisks }) disk!: PodDisks;
  @ApiProperty({ type: [String], example: [] }) problems!: string[];
  @ApiProperty({ example: 4, description: 'Files in hand.' }) in_hand!: number;
}

/** Answer of `GET /v1/status`. */
export class Status {
  @ApiProperty({ example: true }) enabled!: boolean;
  @ApiProperty({
    example: false,
    description: 'The session stops once what stood in the drop folder when it was told to is taken.',
  })
  stopping!: boolean;
  @ApiProperty({
    type: String,
    nullable: true,
    example: 'my session',
    description: 'The name as given; null when stopped.',
  })
  active_session!: string | null;
  @ApiProperty({ example: 1204, description: 'Files moved and proved, each counted once.' })
  processed_ok!: number;
  @ApiProperty({ example: 1, description: 'Quarantines.' }) processed_err!: number;
  @ApiProperty({ type: String, nullable: true, example: null, description: 'Stays until the next one.' })
  last_error!: string | null;
  @ApiProperty({ type: QueueCounts }) queue!: QueueCounts;
  @ApiProperty({
    type: IncomingCounts,
    nullable: true,
    description: 'Null where no scan has ended lately: no scanner lives, or `problems` says why.',
  })
  incoming!: IncomingCounts | null;
  @ApiProperty({ type: [PodView] }) pods!: PodView[];
  @ApiProperty({ type: [String], example: [], description: 'Plain sentences; empty when all is well.' })
  problems!: string[];
}
