import type { Redis } from 'ioredis';
import type { Role } from '../config/index.js';
import { parseObject, type SidecarMode } from '../domain/index.js';
import { bindScript, refusalIn, writeRefusal } from '../redis/index.js';

/** How often a pod reports; milliseconds. */
export const HEARTBEAT_MS = 2_000;
/** A pod that was silent this long counts as dead; milliseconds. */
export const POD_DEAD_MS = 12_000;

/** Room on a disk. Bytes and counts; null limits are not known. */
export interface DiskUse {
  readonly bytes_total: number;
  readonly bytes_free: number;
  readonly inodes_total: number;
  readonly inodes_free: number;
}

/** What a pod says of itself; `GET /v1/status` shows it as it is. */
export interface PodReport {
  /** New at each start of a process. */
  readonly id: string;
  readonly role: Role;
  /** Host name. */
  readonly name: string;
  readonly version: string;
  /** ISO 8601. */
  readonly started_at: string;
  readonly ready: boolean;
  /** A scanner that waits for the lease of another. */
  readonly standby: boolean;
  /** The id in `<processing>/.sluice-volume` as this pod sees it; null where it sees none. */
  readonly volume: string | null;
  /** Its `APP_SIDECAR_CHECKSUMS`; pods of 0.2, and an api, tell none. */
  readonly sidecars?: SidecarMode;
  readonly disk: { readonly volume: DiskUse | null; readonly staging: DiskUse | null };
  /** Plain sentences; empty when all is well. */
  readonly problems: readonly string[];
  /** Blob names of the files in hand: recovery leaves them to this pod. */
  readonly hands: readonly string[];
  /** Bytes a second by session key, now. */
  readonly rates: Readonly<Record<string, number>>;
}

/** What became of a report. */
export interface Reported {
  /** Whether the others can read it. */
  readonly written: boolean;
  /** Redis' words where it refuses writes. */
  readonly refusal: string | null;
}

// Redis' clock is the only one that all pods share. A full Redis refuses what may take memory, unless the script has deleted
// something before: a report that only replaces the one before gets through, and the refusal is told.
const REPORT = `
local t = redis.call('TIME')
local pods, text = KEYS[1] .. ':pods', string.format('%.0f', t[1] * 1000 + t[2] / 1000) .. ' ' .. ARGV[2]
local answer = redis.pcall('HSET', pods, ARGV[1], text)
if type(answer) ~= 'table' or not answer.err then return '' end
redis.call('HDEL', pods, ARGV[1])
redis.call('HSET', pods, ARGV[1], text)
return answer.err`;
// a Redis that refuses writes can still be asked
const LIST = `
local t = redis.call('TIME')
local now = t[1] * 1000 + t[2] / 1000
local alive = {}
local all = redis.call('HGETALL', KEYS[1] .. ':pods')
for i = 1, #all, 2 do
  local at, report = string.match(all[i + 1], '^(%d+) (.*)$')
  local age = at and now - tonumber(at) or math.huge
  -- Redis' clock went back: the report counts from now on, or a pod that died would live until that moment
  if age < -1 then redis.pcall('HSET', KEYS[1] .. ':pods', all[i], string.format('%.0f', now) .. ' ' .. report) end
  if age < tonumber(ARGV[1]) then alive[#alive + 1] = report
  elseif age > 10 * tonumber(ARGV[1]) then redis.pcall('HDEL', KEYS[1] .. ':pods', all[i]) end
end
return alive`;

/** Reports a pod to the others, and reads who is alive. */
export class Pods {
  private readonly reportScript;
  private readonly listScript;

  constructor(
    private readonly redis: Redis,
    private readonly prefix: string,
  ) {
    this.reportScript = bindScript(redis, 'sluicePodReport', prefix, REPORT);
    this.listScript = bindScript(redis, 'sluicePodList', prefix, LIST);
  }

  /** Tells the others of this pod; repeat it every {@link HEARTBEAT_MS}. A Redis that refuses writes is no error. */
  async report(report: PodReport): Promise<Reported> {
    try {
      const answer = await this.reportScript(report.id, JSON.stringify(report));
      return { written: true, refusal: refusalIn(String(answer)) };
    } catch (error) {
      const refusal = writeRefusal(error);
      if (refusal === null) throw error;
      return { written: false, refusal };
    }
  }

  /** The pods that reported within {@link POD_DEAD_MS}, ordered by role and name. */
  async alive(): Promise<PodReport[]> {
    const reports = ((await this.listScript(POD_DEAD_MS)) as string[]).flatMap(
      (text) => readReport(text) ?? [],
    );
    return reports.sort(
      (a, b) => a.role.localeCompare(b.role) || a.name.localeCompare(b.name) || a.id.localeCompare(b.id),
    );
  }

  /** Takes a pod off the list at its orderly end. */
  async leave(id: string): Promise<void> {
    await this.redis.hdel(`${this.prefix}:pods`, id);
  }
}

/** A report as a pod of any release wrote it. @returns null where it is none */
function readReport(text: string): PodReport | null {
  const report = parseObject(text);
  if (report === null) return null;
  const { disk, rates } = report;
  const isReport =
    TEXTS.every((name) => typeof report[name] === 'string') &&
    LISTS.every((name) => isListOfTexts(report[name])) &&
    (report.volume === null || typeof report.volume === 'string') &&
    typeof disk === 'object' &&
    disk !== null &&
    typeof rates === 'object' &&
    rates !== null;
  return isReport ? (report as unknown as PodReport) : null;
}

const TEXTS = ['id', 'role', 'name', 'version', 'started_at'];
const LISTS = ['problems', 'hands'];

function isListOfTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** The living scanner that holds the lease, if there is one; its volume is the truth. */
export function leadingScanner(pods: readonly PodReport[]): PodReport | null {
  return pods.find((pod) => pod.role === 'scanner' && !pod.standby) ?? null;
}

/** Blob names that living pods have in hand. */
export function inHand(pods: readonly PodReport[]): Set<string> {
  return new Set(pods.flatMap((pod) => pod.hands));
}
