import type { QueueBrakes } from '@app/shared/queue';

/** Each brake as a sentence for `problems`, with what to do. */
export function brakeProblems({ paused, concurrency, rateLimit }: QueueBrakes): string[] {
  return [
    ...(paused
      ? ['The queue is paused: no new file is begun until it is resumed in Bull Board (/admin/queues).']
      : []),
    ...(concurrency === null
      ? []
      : [
          `The queue has a concurrency limit: all uploaders together work on ${concurrency} file${concurrency === 1 ? '' : 's'} at once; remove it in Bull Board (/admin/queues).`,
        ]),
    ...(rateLimit === null
      ? []
      : [
          `The queue has a rate limit: all uploaders together begin ${rateLimit.max} file${rateLimit.max === 1 ? '' : 's'} in ${rateLimit.durationMs / 1000} s; remove it in Bull Board (/admin/queues).`,
        ]),
  ];
}
