import { leadingScanner, type DiskUse, type PodReport } from '@app/shared/pods';

/** The share of a disk above which it is a problem. */
const DISK_FULL = 0.8;

/** Every sentence that the person on call should read: what pods say of themselves, and what only shows between them. */
export function problemsOf(pods: readonly PodReport[], work: { enabled: boolean; open: number }): string[] {
  const leader = leadingScanner(pods);
  const uploaders = pods.filter((pod) => pod.role === 'uploader');
  const sentences = pods.flatMap((pod) =>
    [...pod.problems, ...disks(pod)].map((problem) => `${pod.role} ${pod.name}: ${problem}`),
  );
  if (!leader) sentences.push('No live scanner: new files are not found, and nothing is recovered.');
  if (uploaders.length === 0 && (work.enabled || work.open > 0))
    sentences.push('No live uploader: nothing is moved.');
  for (const pod of pods) {
    if (leader?.volume && pod.volume !== null && pod.volume !== leader.volume)
      sentences.push(
        `${pod.role} ${pod.name} has another volume than the scanner: ${pod.volume} instead of ${leader.volume}.`,
      );
  }
  const versions = [...new Set(pods.map((pod) => pod.version))];
  if (versions.length > 1) sentences.push(`Pods run different versions: ${versions.sort().join(', ')}.`);
  return sentences;
}

function disks(pod: PodReport): string[] {
  return [
    full('the shared volume', pod.role === 'scanner' ? pod.disk.volume : null),
    full('its staging disk', pod.disk.staging),
  ].flat();
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
