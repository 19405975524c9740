import type { Proxies } from '../config/index.js';
import { reasonsOf } from '../domain/index.js';
import { byWaysOut, WaysOut } from '../network/index.js';
import { RedisFault } from './faults.js';

/** What a token is for. @see https://learn.microsoft.com/azure/redis/entra-for-authentication */
const SCOPE = 'https://redis.azure.com/.default';
/** How long a token may take to come; milliseconds. */
const TOKEN_MS = 15_000;
/** Token requests at once: one at a time, and what a credential asks before it. */
const SOCKETS = 4;
/** Between two tries to get one, and at least between two renewals; milliseconds. */
const AGAIN_MS = 1_000;
/** A start without a token that passes ends after this; milliseconds. An identity may need a moment to be known. */
export const START_MS = 30_000;

/** A token, as Redis takes it. */
export interface Token {
  readonly username: string;
  readonly password: string;
  /** When it ends; milliseconds since 1970. */
  readonly endsAt: number;
}

/** What this file uses of a credential of `@azure/identity`. */
interface Credential {
  getToken(
    scope: string,
    options: { abortSignal: AbortSignal },
  ): Promise<{ readonly token: string; readonly expiresOnTimestamp: number } | null>;
}

/** A connection that signs in with tokens. */
interface Member {
  readonly status: string;
  auth(username: string, password: string): Promise<unknown>;
}

/**
 * Signs the connections of a process in with tokens of its Entra ID identity. Each token is replaced at half of its time,
 * and every connection that is open then is authenticated again, which ends nothing that runs on it.
 */
export class RedisLogin {
  private readonly members = new Set<Member>();
  private readonly startedAt = performance.now();
  private credential: Credential | null = null;
  private held: Token | null = null;
  private fetching: Promise<Token> | null = null;
  private timer: NodeJS.Timeout | undefined;
  private readonly waysOut: WaysOut;
  /** What a proxy said no to, in the last try to get a token. */
  private refusal: string | null = null;

  /**
   * @param user the user name; empty: the object id that the token names
   * @param proxies those that token requests go through; Redis itself is no HTTP, and is reached directly
   */
  constructor(
    private readonly user: string,
    proxies: Proxies,
  ) {
    this.waysOut = new WaysOut(proxies, { sockets: SOCKETS, idleMs: TOKEN_MS });
  }

  /** How each place that gave a token was reached, see {@link WaysOut.routes}. */
  routes(): Record<string, string> {
    return this.waysOut.routes();
  }

  /** The token for a connection that is about to begin. @throws Error, and a RedisFault where it failed for too long */
  async current(): Promise<Token> {
    if (this.held && this.held.endsAt > Date.now()) return this.held;
    try {
      return await this.fetch();
    } catch (error) {
      const begin = 'no identity gives a token for Redis';
      // MSAL makes a network error without a reason of whatever a policy throws
      if (this.refusal) throw new RedisFault(`APP_REDIS_CREDENTIAL: ${begin}: ${this.refusal}`);
      const why = `${begin}: ${reasonsOf(error)}`;
      if (!this.isLate()) throw new Error(why);
      throw new RedisFault(
        `APP_REDIS_CREDENTIAL is identity, but ${why}; give the pod an identity, or take url`,
      );
    }
  }

  /** Whether it is too late for a start to wait any longer. */
  isLate(): boolean {
    return performance.now() - this.startedAt > START_MS;
  }

  /** Redis refused this token: the next one is a new one. */
  refused(password: unknown): void {
    if (this.held?.password !== password) return;
    this.held = null;
    // a credential keeps what it got; a new one asks
    this.credential = null;
  }

  /** From now on a connection is authenticated again with each new token, until {@link leave}. */
  join(member: Member): void {
    this.members.add(member);
  }

  /** The connection is closed. */
  leave(member: Member): void {
    // the timer goes on: connections that are made anew begin with the token that is held
    this.members.delete(member);
  }

  private fetch(): Promise<Token> {
    this.fetching ??= this.ask().finally(() => (this.fetching = null));
    return this.fetching;
  }

  private async ask(): Promise<Token> {
    this.refusal = null;
    this.credential ??= await openIdentity(
      this.waysOut,
      (doing) => new Error((this.refusal = proxyAsks(doing))),
    );
    const got = await this.credential.getToken(SCOPE, { abortSignal: AbortSignal.timeout(TOKEN_MS) });
    if (!got) throw new Error('it gave none');
    const username = this.user || objectIdOf(got.token);
    this.held = { username, password: got.token, endsAt: got.expiresOnTimestamp };
    this.renewAfter((got.expiresOnTimestamp - Date.now()) / 2);
    return this.held;
  }

  private renewAfter(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.renew(), Math.min(Math.max(ms, AGAIN_MS), 2 ** 31 - 1));
    this.timer.unref();
  }

  private async renew(): Promise<void> {
    const before = this.held?.password;
    try {
      const token = await this.fetch();
      if (token.password === before) return;
      for (const member of this.members)
        if (member.status === 'ready')
          member.auth(token.username, token.password).catch(() => this.again(token));
    } catch {
      // the old one may still hold; a connection that needs one says so
      this.renewAfter(AGAIN_MS);
    }
  }

  private again(token: Token): void {
    this.refused(token.password);
    this.renewAfter(AGAIN_MS);
  }
}

/** Token requests go out as those of the store's identity do. */
async function openIdentity(waysOut: WaysOut, proxyAsks: (doing: string) => Error): Promise<Credential> {
  // loaded only where it is used: it takes some 20 MiB of memory
  /* eslint-disable no-restricted-syntax */
  const { DefaultAzureCredential } = await import('@azure/identity');
  const { createDefaultHttpClient } = await import('@azure/core-rest-pipeline');
  /* eslint-enable no-restricted-syntax */
  return new DefaultAzureCredential(byWaysOut(createDefaultHttpClient(), waysOut, proxyAsks));
}

const proxyAsks = (doing: string): string =>
  `407 from ${doing}: the proxy asks for a user and a password, or refuses those that it was given; set HTTPS_PROXY=http://user:password@host:port`;

/** The object id in a token's claims: the user name that Redis knows an identity by. */
function objectIdOf(token: string): string {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    oid?: unknown;
  };
  if (typeof claims.oid !== 'string')
    throw new Error('its token names no object id; put the user into APP_REDIS_URL');
  return claims.oid;
}
