import { ApiProperty } from '@nestjs/swagger';

/** What would become of a file that waits in the drop folder. */
export class PlannedFile {
  @ApiProperty({ example: 'camera-7/a.bin', description: 'Its path below the drop folder.' })
  filename!: string;
  @ApiProperty({
    type: String,
    nullable: true,
    example: 'https://account.blob.core.windows.net/ingest/20260131/my%2520session/camera-7/a.bin',
    description:
      'The blob that it would become. Null where the name is refused, where no session is known, and where no uploader answers.',
  })
  url!: string | null;
  @ApiProperty({
    type: Boolean,
    nullable: true,
    example: false,
    description: 'Whether a blob stands there, which would be overwritten; null where nobody can say.',
  })
  exists!: boolean | null;
  @ApiProperty({
    type: String,
    nullable: true,
    example: null,
    description: 'Why it would be quarantined, the code first: `InvalidBlobName`, `FileTooLarge`; else null.',
  })
  fault!: string | null;
}

/** A page of what would become of files. */
export class Plan {
  @ApiProperty({ type: [PlannedFile] }) items!: PlannedFile[];
  @ApiProperty({ type: String, nullable: true, example: null }) next_cursor!: string | null;
  @ApiProperty({
    type: String,
    nullable: true,
    example: null,
    description: 'Why `url`, `exists` or `fault` of this page is not known; null where all of it is.',
  })
  note!: string | null;
}
