/** What the api answers, as far as the commands read it. Sizes in bytes, times ISO 8601; the contract is docs-json. */

/** `GET /v1/status`. */
export interface Status {
  readonly enabled: boolean;
  readonly stopping?: boolean;
  readonly active_session: string | null;
  readonly processed_ok: number;
  readonly processed_err: number;
  readonly last_error: string | null;
  readonly queue: { waiting: number; active: number; delayed: number; failed: number };
  readonly incoming: {
    seen: number;
    settling: number;
    held: number;
    ignored: number;
    oldest_age_s: number;
  } | null;
  readonly pods: readonly Pod[];
  readonly problems: readonly string[];
}

/** Room on a disk. */
export interface Disk {
  readonly bytes_total: number;
  readonly bytes_free: number;
}

/** A live pod. */
export interface Pod {
  readonly role: string;
  readonly name: string;
  readonly version: string;
  readonly ready: boolean;
  readonly standby: boolean;
  readonly in_hand: number;
  readonly disk: { readonly volume: Disk | null; readonly staging: Disk | null };
}

/** `GET /v1/sessions/{date}/{encoded_session}`. */
export interface Session {
  readonly date_prefix: string;
  readonly session_name: string;
  readonly encoded_session: string;
  readonly state: string;
  readonly complete: boolean;
  readonly missing: { readonly files: number; readonly bytes: number | null } | null;
  readonly files: { queued: number; active: number; delayed: number; done: number; failed: number };
  readonly bytes: { done: number; in_flight?: number; total: number };
  readonly rate_bytes_per_s: number;
  readonly eta_s: number | null;
  readonly started_at: string;
  readonly stopped_at: string | null;
  readonly finished_at: string | null;
  readonly url: string | null;
}

/** A file, as `GET /v1/files` shows it. */
export interface FileAnswer {
  readonly filename: string;
  readonly state: string;
  readonly why: string;
  readonly hint?: string | null;
  readonly session: { date_prefix: string; encoded_session: string } | null;
  readonly size: number | null;
  readonly progress: { bytes: number; percent: number } | null;
  readonly step?: string | null;
  readonly attempts: number;
  readonly url: string | null;
  readonly md5: string | null;
  readonly uploader: string | null;
}

/** What would become of a file that waits, as `GET /v1/plan` shows it. */
export interface PlannedFile {
  readonly filename: string;
  readonly url: string | null;
  readonly exists: boolean | null;
  readonly fault: string | null;
}

/** A page of `GET /v1/plan`. */
export interface PlanPage extends Page<PlannedFile> {
  readonly note: string | null;
}

/** A page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next_cursor: string | null;
}

/** An event of `GET /v1/events`; nothing in it is sure to be there. */
export interface SluiceEvent {
  readonly type: string;
  readonly filename?: string;
  /** Null of a file that is in no session yet. */
  readonly session?: string | null;
  readonly state?: string;
  readonly why?: string;
  /** What `bytes` counts. */
  readonly step?: string;
  readonly bytes?: number;
  readonly size?: number;
}
