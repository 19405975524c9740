import { Agent as HttpAgent, type ClientRequest } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { checkServerIdentity } from 'node:tls';
import { Agent, type AgentConnectOpts } from 'agent-base';
import { HttpProxyAgent } from 'http-proxy-agent';
import { HttpsProxyAgent } from 'https-proxy-agent';

/** What every agent keeps to. */
export interface AgentLimits {
  /** Most connections to one origin at once. */
  readonly sockets: number;
  /** A connection on which nothing moved for so long is dead; milliseconds. */
  readonly idleMs: number;
  /** Called when a connection with a request under way ends for that reason. */
  readonly onSilence?: () => void;
}

/** An agent without a proxy. */
export function directAgent(secure: boolean, limits: AgentLimits): HttpAgent {
  const agent = secure ? new HttpsAgent(optionsOf(limits)) : new HttpAgent(optionsOf(limits));
  const connect: (...args: never[]) => Duplex | null | undefined = agent.createConnection.bind(agent);
  agent.createConnection = (...args: never[]) => {
    const socket = connect(...args) as Socket | undefined;
    return socket && idleLimited(socket, limits);
  };
  return agent;
}

/** An agent for `https:` URLs that asks `proxy` for a tunnel (CONNECT). */
export function tunnelAgent(proxy: URL, limits: AgentLimits): HttpAgent {
  return new TunnelAgent(proxy, limits);
}

/** An agent for `http:` URLs that hands each request to `proxy`. */
export function plainProxyAgent(proxy: URL, limits: AgentLimits): HttpAgent {
  return new PlainProxyAgent(proxy, limits);
}

class TunnelAgent extends Agent {
  constructor(
    private readonly way: URL,
    private readonly limits: AgentLimits,
  ) {
    super(optionsOf(limits));
    this.protocol = 'https:';
  }

  override isSecureEndpoint(): boolean {
    return true;
  }

  // HttpsProxyAgent drops the options of an agent, and has no time limit for the answer to CONNECT: it makes one tunnel here
  override async connect(request: ClientRequest, options: AgentConnectOpts): Promise<Socket> {
    const socket = await limited(this.limits.idleMs, (signal) =>
      new HttpsProxyAgent(this.way, { keepAlive: true, signal }).connect(request, named(options)),
    );
    return idleLimited(socket, this.limits);
  }
}

/** HttpsProxyAgent would compare the certificate of a server without a name, an address, with `localhost`. */
function named(options: AgentConnectOpts): AgentConnectOpts {
  const { host = '' } = options;
  if (isIP(host) === 0) return options;
  return {
    ...options,
    checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
  } as AgentConnectOpts;
}

type PlainRequest = Parameters<HttpProxyAgent<string>['connect']>[0];

class PlainProxyAgent extends HttpProxyAgent<string> {
  constructor(
    private readonly way: URL,
    private readonly limits: AgentLimits,
  ) {
    super(way.href, optionsOf(limits));
  }

  // HttpProxyAgent has no time limit for a connection to its proxy
  override async connect(request: PlainRequest, options: AgentConnectOpts): Promise<Socket> {
    const socket = await limited(this.limits.idleMs, (signal) =>
      new HttpProxyAgent(this.way, { keepAlive: true, signal }).connect(request, options),
    );
    return idleLimited(socket, this.limits);
  }
}

function optionsOf({ sockets, idleMs }: AgentLimits) {
  return { keepAlive: true, maxSockets: sockets, maxFreeSockets: sockets, timeout: idleMs };
}

/** Lets a connection begin within `ms`, or ends it. */
async function limited<T>(ms: number, begin: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), ms);
  try {
    return await begin(limit.signal);
  } catch (error) {
    throw limit.signal.aborted ? timedOut('the proxy did not answer') : error;
  } finally {
    clearTimeout(timer);
  }
}

/** Ends a connection on which nothing moves. Slow links keep moving, however large a body. */
function idleLimited(socket: Socket, { idleMs, onSilence }: AgentLimits): Socket {
  socket.setTimeout(idleMs);
  return socket.on('timeout', () => {
    // Node keeps the request of a connection here; one that waits for its next request has none
    if ((socket as { _httpMessage?: unknown })._httpMessage) onSilence?.();
    socket.destroy(timedOut('nothing moved on the connection'));
  });
}

function timedOut(message: string): Error {
  return Object.assign(new Error(message), { code: 'ETIMEDOUT' });
}
