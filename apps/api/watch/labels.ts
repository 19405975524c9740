import { BadRequestException } from '@nestjs/common';
import {
  hasLabels,
  labelFaults,
  mergeLabels,
  readLabels,
  writtenLabels,
  type Labels,
} from '@app/shared/config';
import type { OtherScope } from '@app/shared/records';

/**
 * Checks the labels of a call against Azure's limits, also together with those for all files that this api knows of.
 *
 * @returns as they are kept; empty where the call takes them away, null where it says nothing of them
 * @throws BadRequestException that names each part to change
 */
export function textOfLabels(given: unknown, all: Labels): string | null {
  if (given === undefined || given === null) return null;
  const labels = readLabels(given);
  if (Array.isArray(labels)) throw new BadRequestException(labels);
  const together = labelFaults(
    mergeLabels(all, labels),
    'with APP_AZURE_TAGS and APP_AZURE_METADATA, labels.',
  );
  if (together.length > 0) throw new BadRequestException(together);
  return hasLabels(labels) ? JSON.stringify(writtenLabels(labels)) : '';
}

/** The refusal of a call that would change the encryption scope of a session that has files. */
export function otherScope({ scope }: OtherScope): BadRequestException {
  const has = scope === null ? 'no encryption scope' : `the encryption scope ${scope}`;
  return new BadRequestException(
    `labels.encryption_scope cannot be changed: files of this session have ${has}; start a session of another name`,
  );
}
