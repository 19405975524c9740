import type { Agent } from 'node:http';
import { proxyOf, type Proxies } from '../config/index.js';
import { directAgent, plainProxyAgent, tunnelAgent, type AgentLimits } from './agents.js';

/**
 * The ways out of one process: for each URL the agent that reaches it, through a proxy or directly. All agents keep
 * connections alive and end those on which nothing moves.
 */
export class WaysOut {
  private readonly agents = new Map<string, Agent>();
  private readonly asked = new Map<string, string>();

  private readonly limits: AgentLimits;
  private silentAt = -Infinity;

  constructor(
    private readonly proxies: Proxies,
    limits: AgentLimits,
  ) {
    this.limits = { ...limits, onSilence: () => void (this.silentAt = performance.now()) };
  }

  /** Whether a connection ended within so many milliseconds since nothing moved on it while a request was under way. */
  silentWithin(ms: number): boolean {
    return performance.now() - this.silentAt < ms;
  }

  /** The agent of a URL; requests to it, and to no other origin, may use it. */
  agent(url: URL): Agent {
    const proxy = proxyOf(url, this.proxies);
    this.asked.set(url.origin, proxy ? `through ${proxy.protocol}//${proxy.host}` : 'directly');
    const key = `${url.protocol} ${proxy?.href ?? ''}`;
    const known = this.agents.get(key);
    if (known) return known;
    const agent = this.make(url.protocol === 'https:', proxy);
    // the SDK's own log, where somebody asks for it, shows a request with its agent: live sockets, tokens and passwords
    Object.assign(agent, { toJSON: () => 'agent' });
    this.agents.set(key, agent);
    return agent;
  }

  /** How each origin that was asked for is reached, for people and without secrets: `directly`, or `through http://proxy:3128`. */
  routes(): Record<string, string> {
    return Object.fromEntries(this.asked);
  }

  private make(secure: boolean, proxy: URL | null): Agent {
    if (proxy === null) return directAgent(secure, this.limits);
    return secure ? tunnelAgent(proxy, this.limits) : plainProxyAgent(proxy, this.limits);
  }
}
