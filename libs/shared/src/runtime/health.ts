/** Gives the reasons why something is not well; empty when it is. Must answer at once: probes wait for it. */
export type Reasons = () => string[];

/**
 * What the two probes of a process answer. Parts of the process add their reasons; nothing here touches a disk or a
 * network.
 */
export class Health {
  private readonly live: Reasons[] = [];
  private readonly ready: Reasons[] = [];

  /** Adds reasons for `/healthz` to say 503: the pod will be restarted. */
  addLive(reasons: Reasons): void {
    this.live.push(reasons);
  }

  /** Adds reasons for `/readyz` to say 503. */
  addReady(reasons: Reasons): void {
    this.ready.push(reasons);
  }

  /** Why the process should be restarted. */
  liveReasons(): string[] {
    return this.live.flatMap((reasons) => reasons());
  }

  /** Why the process is not ready. */
  readyReasons(): string[] {
    return this.ready.flatMap((reasons) => reasons());
  }
}
