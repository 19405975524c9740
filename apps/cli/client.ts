import type { Page, SluiceEvent } from './answers.js';
import { messageOf } from '@app/shared/domain';

/** A call answers within this, or the api counts as unreachable; milliseconds. */
const TIMEOUT_MS = 10_000;
/** A retry of everything goes through all quarantined files. */
const RETRY_TIMEOUT_MS = 290_000;
/** The api says something every 15 s; a stream that is silent for longer is dead. Milliseconds. */
const SILENCE_MS = 45_000;
/** Items the api gives in one page. */
const PAGE = 1000;

/** The api said no: 4xx. Exit code 1. */
export class Refused extends Error {
  override readonly name = 'Refused';

  /** @param status null where no answer of the api says so */
  constructor(
    message: string,
    readonly status: number | null = null,
  ) {
    super(message);
  }
}

/** The id of the last event that somebody heard; null before the first. */
export interface Heard {
  id: string | null;
}

/** No answer, or none that the api would give. Exit code 3. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** A wait took longer than its time limit. Exit code 5. */
export class TimedOut extends Error {
  override readonly name = 'TimedOut';
}

/** The command line or the environment says something impossible. Exit code 2. */
export class WrongUsage extends Error {
  override readonly name = 'WrongUsage';
}

/** A small client of the REST API. Every method throws {@link Refused} or {@link Unreachable}. */
export class Client {
  /** Where the api listens, with a slash at its end. */
  readonly base: URL;

  /**
   * @param url where the api listens, with or without a path before `/v1`
   * @param token null where the api is open
   * @throws WrongUsage
   */
  constructor(
    url: string,
    private readonly token: string | null,
  ) {
    const base = URL.canParse(url) ? new URL(url) : null;
    if (base?.protocol !== 'http:' && base?.protocol !== 'https:')
      throw new WrongUsage(`"${url}" is no URL such as http://127.0.0.1:8000; change --url or SLUICE_URL`);
    if (base.username !== '' || base.password !== '')
      throw new WrongUsage('the URL must not hold a password; put the token in SLUICE_TOKEN');
    if (token !== null && !/^[\x21-\x7e\x80-\xff]+$/.test(token))
      throw new WrongUsage('SLUICE_TOKEN holds a character that no HTTP header can carry');
    base.search = base.hash = '';
    if (!base.pathname.endsWith('/')) base.pathname += '/';
    this.base = base;
  }

  /** GET of a path below the base, e.g. `v1/status`. @param timeoutMs how long the api may take */
  async get<T>(
    path: string,
    query: Record<string, string | undefined> = {},
    signal?: AbortSignal,
    timeoutMs = TIMEOUT_MS,
  ): Promise<T> {
    return this.json<T>(this.address(path, query), { signal }, timeoutMs);
  }

  /** POST with a JSON body. */
  async post<T>(path: string, body: object): Promise<T> {
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    };
    return this.json<T>(this.address(path), init, RETRY_TIMEOUT_MS);
  }

  /** At most `limit` items of a list, page by page; `next_cursor` is where it goes on. */
  async list<T>(path: string, query: Record<string, string | undefined>, limit: number): Promise<Page<T>> {
    const items: T[] = [];
    let cursor = query.cursor;
    do {
      const size = String(Math.min(PAGE, limit - items.length));
      const page = await this.get<Page<T>>(path, { ...query, limit: size, cursor });
      items.push(...page.items);
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined && items.length < limit);
    return { items, next_cursor: cursor ?? null };
  }

  /**
   * The events, until the connection ends; `onOpen` is called once it stands.
   *
   * @param heard what came since this one is told first; it is kept up to date
   * @param signal ends it; then it throws whatever the signal says
   */
  async *events(
    signal: AbortSignal,
    onOpen: () => void,
    heard: Heard = { id: null },
  ): AsyncGenerator<SluiceEvent> {
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(), SILENCE_MS);
    try {
      const answer = await this.ask(this.address('v1/events'), {
        headers: {
          accept: 'text/event-stream',
          ...(heard.id === null ? {} : { 'last-event-id': heard.id }),
        },
        signal: AbortSignal.any([signal, silence.signal]),
      });
      if (!answer.ok) throw await this.fault(answer);
      if (!answer.body || !answer.headers.get('content-type')?.startsWith('text/event-stream'))
        throw this.stranger();
      onOpen();
      // an event of this api is one line of data, and its id comes behind it
      for await (const line of linesOf(answer.body, () => timer.refresh())) {
        if (line.startsWith('data: ')) yield JSON.parse(line.slice(6)) as SluiceEvent;
        else if (line.startsWith('id: ')) heard.id = line.slice(4);
      }
    } catch (error) {
      if (signal.aborted || error instanceof Refused || error instanceof Unreachable) throw error;
      throw this.unreachable(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The lines of an NDJSON answer. */
  async *lines(path: string): AsyncGenerator<Record<string, unknown>> {
    const answer = await this.ask(this.address(path), {});
    if (!answer.ok) throw await this.fault(answer);
    if (!answer.body) throw this.stranger();
    try {
      for await (const line of linesOf(answer.body)) if (line !== '') yield JSON.parse(line) as never;
    } catch (error) {
      if (error instanceof SyntaxError) throw this.stranger();
      // what breaks off is not whole
      throw this.unreachable(error);
    }
  }

  private address(path: string, query: Record<string, string | undefined> = {}): URL {
    const url = new URL(path, this.base);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, value);
    return url;
  }

  private async json<T>(url: URL, init: RequestInit, timeoutMs: number): Promise<T> {
    const signals = [AbortSignal.timeout(timeoutMs), ...(init.signal ? [init.signal] : [])];
    const answer = await this.ask(url, { ...init, signal: AbortSignal.any(signals) });
    if (!answer.ok) throw await this.fault(answer);
    try {
      return (await answer.json()) as T;
    } catch {
      throw this.stranger();
    }
  }

  private async ask(url: URL, init: RequestInit): Promise<Response> {
    const access: Record<string, string> =
      this.token === null ? {} : { authorization: `Bearer ${this.token}` };
    try {
      return await fetch(url, { ...init, headers: { ...(init.headers as object), ...access } });
    } catch (error) {
      throw this.unreachable(error);
    }
  }

  private async fault(answer: Response): Promise<Error> {
    const problem = (await answer.json().catch(() => null)) as { detail?: unknown } | null;
    if (answer.status === 401)
      return new Refused(
        `401: the api wants ${this.token === null ? 'a' : 'another'} token; set SLUICE_TOKEN to its APP_API_TOKEN`,
        401,
      );
    if (typeof problem?.detail !== 'string') return this.stranger(answer.status);
    const sentence = `${answer.status}: ${problem.detail}`;
    return answer.status < 500
      ? new Refused(sentence, answer.status)
      : new Unreachable(`the api cannot answer now, ${sentence}`);
  }

  private stranger(status?: number): Unreachable {
    const what = status === undefined ? '' : ` (status ${status})`;
    return new Unreachable(
      `${this.base.href} answers, but not as the api of Sluice does${what}; check --url or SLUICE_URL`,
    );
  }

  private unreachable(error: unknown): Unreachable {
    const { cause } = error as { cause?: unknown };
    const why =
      (error as Error).name === 'TimeoutError'
        ? 'no answer in time'
        : messageOf(cause ?? error) || 'no answer';
    return new Unreachable(
      `no api at ${this.base.href} (${why}); check --url or SLUICE_URL, and that it runs`,
    );
  }
}

/** The lines of a body, without their ends; `onChunk` is called with each part that comes. */
async function* linesOf(body: object, onChunk?: () => void): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    onChunk?.();
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}
