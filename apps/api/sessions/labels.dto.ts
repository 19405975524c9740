import { ApiPropertyOptional } from '@nestjs/swagger';
import { TIERS, type Tier } from '@app/shared/config';

/** Labels of a session's blobs; what is not given is left out. */
export class LabelsView {
  @ApiPropertyOptional({ enum: TIERS, example: 'Cool', description: 'Access tier.' }) tier?: Tier;
  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'string' },
    example: { project: 'mars', run: '17' },
    description:
      'Index tags: at most 10, keys of 1 to 128 characters, values of 0 to 256; letters, digits, blanks and + - . / : = _. The uploaders need the right to write them.',
  })
  tags?: Record<string, string>;
  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'string' },
    example: { owner: 'lab_7' },
    description:
      'At most 8 KiB in all. Names are letters, digits and _, values printable ASCII; `mtime`, `size` and `sha256` are written by Sluice itself.',
  })
  metadata?: Record<string, string>;
  @ApiPropertyOptional({
    example: 'confidential',
    description: 'Encryption scope; it stays as it is once the session has files.',
  })
  encryption_scope?: string;
}
