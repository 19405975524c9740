import { request as requestHttp, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import { Webhook } from 'standardwebhooks';
import type { WaysOut } from '@app/shared/network';
import type { Message } from './cloud-event.js';

/** A receiver that has not answered by then gets the event again later; milliseconds. */
const TIMEOUT_MS = 15_000;

/** Where events go; no caller of the api chooses it. */
export interface Receiver {
  readonly url: string;
  /** `whsec_` and base64. */
  readonly secret: string;
}

/**
 * Sends an event once, signed after the Standard Webhooks specification. No redirect is followed.
 *
 * @throws Error with a sentence without the URL or the secret, where the receiver does not answer with 2xx in time
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export async function send(
  { url: address, secret }: Receiver,
  { id, body }: Message,
  waysOut: WaysOut,
  signal: AbortSignal,
): Promise<void> {
  const url = new URL(address);
  const at = new Date();
  const late = AbortSignal.timeout(TIMEOUT_MS);
  const options: RequestOptions = {
    method: 'POST',
    agent: waysOut.agent(url),
    signal: AbortSignal.any([signal, late]),
    headers: {
      'content-type': 'application/cloudevents+json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'sluice',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': new Webhook(secret).sign(id, at, body),
    },
  };
  const status = await post(url, options, body).catch((error: unknown) => {
    if (late.aborted) throw new Error(`it did not answer within ${TIMEOUT_MS / 1000} s`);
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(code ?? message);
  });
  if (status >= 300 && status < 400)
    throw new Error(
      `it answered ${status}, and no redirect is followed: set APP_WEBHOOK_URL to where it leads`,
    );
  if (status < 200 || status >= 300) throw new Error(`it answered ${status}`);
}

/** @returns the status; what else is answered is not read */
function post(url: URL, options: RequestOptions, body: string): Promise<number> {
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const sent = request(url, options, (answer) => {
      resolve(answer.statusCode ?? 0);
      answer.on('error', () => undefined);
      // an answer without an end would keep the connection
      if (Number(answer.headers['content-length'] ?? Infinity) > 64 * 1024) answer.destroy();
      else answer.resume();
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
