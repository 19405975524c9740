import { CloudEvent, HTTP } from 'cloudevents';
import { createHash } from 'node:crypto';
import { sessionKey } from '@app/shared/domain';
import type { OutboxEvent } from '@app/shared/records';

/** An event as it is sent, again and again the same. */
export interface Message {
  /** The event's id, and that of its job. */
  readonly id: string;
  /** A CloudEvent in its structured form, JSON. */
  readonly body: string;
}

const TYPES = {
  complete: 'sluice.session.complete',
  finished: 'sluice.session.finished',
  quarantined: 'sluice.file.quarantined',
} as const;

/**
 * Makes the CloudEvent of what happened. The same event of the outbox has the same id, whoever makes it and however often.
 *
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
 */
export function messageOf({ entry, kind, session, at, facts }: OutboxEvent): Message {
  const key = sessionKey(session);
  const digest = createHash('sha256').update(`${kind} ${key} ${entry}`).digest('hex');
  const id = `evt_${digest.slice(0, 32)}`;
  const event = new CloudEvent({
    id,
    type: TYPES[kind],
    source: `/v1/sessions/${session.datePrefix}/${encodeURIComponent(session.encodedSession)}`,
    subject: kind === 'quarantined' ? `${key}/${textOf(facts.filename)}` : key,
    time: new Date(at).toISOString(),
    datacontenttype: 'application/json',
    data: {
      date_prefix: session.datePrefix,
      session_name: textOf(facts.name),
      encoded_session: session.encodedSession,
      ...(kind === 'quarantined' ? fileOf(facts) : sessionOf(facts)),
    },
  });
  const { body } = HTTP.structured(event);
  return { id, body: String(body) };
}

function sessionOf({ url, done, failed, bytes, complete }: OutboxEvent['facts']): object {
  return {
    complete: complete === true,
    files: { done: Number(done), failed: Number(failed) },
    bytes: { done: Number(bytes) },
    url: textOf(url) || null,
  };
}

function fileOf({ filename, code, why, attempts, size }: OutboxEvent['facts']): object {
  return {
    filename: textOf(filename),
    code: textOf(code),
    why: textOf(why),
    attempts: Number(attempts),
    size: Number(size),
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
