import { type Answer, App, freePort, type TestContext, TestRedis } from '../support/index.js';

/** An api with a Redis of its own and nothing else. Both end with the test. */
export interface ApiAlone {
  readonly redis: TestRedis;
  readonly app: App;
  readonly ask: (path: string, init?: RequestInit) => Promise<Answer>;
  /** POSTs JSON. */
  readonly post: (path: string, body?: unknown) => Promise<Answer>;
}

/** Starts an api, and its Redis unless one is given. */
export async function apiAlone(
  t: TestContext,
  env: Record<string, string> = {},
  given?: TestRedis,
): Promise<ApiAlone> {
  const redis = given ?? (await TestRedis.start());
  if (!given) t.after(() => redis.end());
  const port = await freePort();
  const app = new App('api', port, { APP_REDIS_URL: redis.url, ...env });
  t.after(() => app.kill());
  await app.ready();
  const ask = async (path: string, init: RequestInit = {}): Promise<Answer> => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, init);
    const text = await answer.text();
    const isJson = /json/.test(answer.headers.get('content-type') ?? '') && !text.includes('\n');
    return {
      status: answer.status,
      body: isJson ? JSON.parse(text) : null,
      headers: answer.headers,
      text,
    };
  };
  const post = (path: string, body?: unknown) =>
    ask(path, {
      method: 'POST',
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
  return { redis, app, ask, post };
}
