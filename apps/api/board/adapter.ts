import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { formatBytes, jobId, messageOf } from '@app/shared/domain';
import { readPayload, type UploadPayload } from '@app/shared/queue';
import type { ApiParts } from '../parts.js';

type FoundJob = NonNullable<Awaited<ReturnType<BullMQAdapter['getJob']>>>;

const OPTIONS = {
  description:
    'Files on their way into the store. A failed job stands for a quarantined file: retry moves the file back to work, remove keeps the file (and recovery shows it here again).',
  // what is done has no source to run again with
  allowCompletedRetries: false,
};

/** A job's headline: file, size and session, as far as its data and its progress tell. */
function titleOf({ data, progress }: { data?: Partial<UploadPayload>; progress?: unknown }): string {
  const { filename, date_prefix, encoded_session, size } = data ?? {};
  if (filename === undefined) return 'upload';
  // the data of a quarantined file holds no size, so that a retry looks at the file anew
  const bytes = size ?? (progress as { size?: unknown } | undefined)?.size;
  const facts = [
    ...(typeof bytes === 'number' ? [formatBytes(bytes)] : []),
    ...(date_prefix === undefined ? [] : [`${date_prefix}/${encoded_session}`]),
  ];
  return facts.length === 0 ? filename : `${filename} (${facts.join(', ')})`;
}

/** The upload queue as Bull Board sees it: a retry there is recorded as one of `POST /v1/files/retry` is. */
export class UploadAdapter extends BullMQAdapter {
  constructor(private readonly parts: ApiParts) {
    super(parts.queue, OPTIONS);
    this.setFormatter('name', titleOf);
  }

  /** Also by a file's name after `f-`, as it stands in an address that was written with the id as it is. */
  override async getJob(id: string): Promise<FoundJob | undefined> {
    const job =
      (await super.getJob(id)) ?? (id.startsWith('f-') ? await super.getJob(jobId(id.slice(2))) : undefined);
    return job && this.recorded(job);
  }

  override async getJobs(...query: Parameters<BullMQAdapter['getJobs']>): Promise<FoundJob[]> {
    return (await super.getJobs(...query)).map((job) => this.recorded(job));
  }

  override async getJobLogs(id: string): Promise<string[]> {
    return super.getJobLogs((await this.getJob(id))?.toJSON().id ?? id);
  }

  private recorded(job: FoundJob): FoundJob {
    const retry = job.retry.bind(job);
    job.retry = async (...how) => {
      await retry(...how);
      const { id, data } = job.toJSON() as { id?: string | null; data: unknown };
      const payload = readPayload(id ?? undefined, data);
      if (typeof payload === 'string') return;
      // the job is retried already; what is not recorded here recovery records
      await this.parts.moves
        .retried([payload])
        .catch((error: unknown) => this.parts.log.debug(`a retry was not recorded: ${messageOf(error)}`));
    };
    return job;
  }
}
