import { leadingScanner, type DiskUse, type PodReport } from '@app/shared/pods';
import type { QueueBrakes } from '@app/shared/queue';
import { brakeProblems } from './brakes.js';

/** The share of a disk above which it is a problem. */
const DISK_FULL = 0.8;

/** What is to be done, and what this api itself sees. */
export interface Situation {
  /** Whether a session is active. */
  readonly enabled: boolean;
  /** Jobs that are not through. */
  readonly open: number;
  /** What somebody set on the whole queue. */
  readonly brakes: QueueBrakes;
  /** Whether pods can report at all: silence of one that cannot means nothing. */
  readonly podsAreHeard: boolean;
  /** Sentences of this api. */
  readonly seen: readonly string[];
}

/** Every sentence that the person on call should read: what pods say of themselves, and what only shows between them. */
export function problemsOf(pods: readonly PodReport[], situation: Situation): string[] {
  const leader = leadingScanner(pods);
  const sentences = pods.flatMap((pod) =>
    [...pod.problems, ...disks(pod)].map((problem) => `${pod.role} ${pod.name}: ${problem}`),
  );
  // the scanner says the same of Redis
  sentences.push(
    ...situation.seen.filter((sentence) => !sentences.some((known) => known.endsWith(sentence))),
  );
  if (situation.podsAreHeard) sentences.push(...missing(pods, situation));
  sentences.push(...brakeProblems(situation.brakes));
  for (const pod of pods)
    if (leader?.volume && pod !== leader && pod.volume !== null && pod.volume !== leader.volume)
      sentences.push(
        `${pod.role} ${pod.name} has another volume than the scanner: ${pod.volume} instead of ${leader.volume}.`,
      );
  for (const { role, name, sidecars } of pods)
    if (leader?.sidecars && sidecars && sidecars !== leader.sidecars)
      sentences.push(
        `${role} ${name} has APP_SIDECAR_CHECKSUMS=${sidecars} and the scanner ${leader.sidecars}; give all of them one value.`,
      );
  const versions = [...new Set(pods.map(({ version }) => version))].sort();
  if (versions.length > 1) sentences.push(`Pods run different versions: ${versions.join(', ')}.`);
  return sentences;
}

function missing(pods: readonly PodReport[], { enabled, open }: Situation): string[] {
  const sentences: string[] = [];
  if (!pods.some(({ role }) => role === 'scanner'))
    sentences.push('No live scanner: new files are not found, and nothing is recovered.');
  else if (!leadingScanner(pods))
    sentences.push('No scanner leads: those that live stand by; one takes over within 15 s.');
  if (!pods.some(({ role }) => role === 'uploader') && (enabled || open > 0))
    sentences.push('No live uploader: nothing is moved.');
  return sentences;
}

function disks(pod: PodReport): string[] {
  // one volume for all: the scanner's word is enough
  return [
    ...full('the shared volume', pod.role === 'scanner' && !pod.standby ? pod.disk.volume : null),
    ...full('its staging disk', pod.disk.staging),
  ];
}

function full(what: string, use: DiskUse | null): string[] {
  if (use === null) return [];
  const sentences: string[] = [];
  const bytes = use.bytes_total > 0 ? 1 - use.bytes_free / use.bytes_total : 0;
  const inodes = use.inodes_total > 0 ? 1 - use.inodes_free / use.inodes_total : 0;
  if (bytes > DISK_FULL) sentences.push(`${what} is ${Math.round(bytes * 100)} % full`);
  if (inodes > DISK_FULL) sentences.push(`${what} has used ${Math.round(inodes * 100)} % of its inodes`);
  return sentences;
}
