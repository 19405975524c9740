import { readFileSync } from 'node:fs';

/** Calls of one NFS mount by kind since it was mounted (nfs-utils, mountstats(8)). */
export function callsSoFar(mount: string): Map<string, number> {
  const text = readFileSync('/proc/self/mountstats', 'utf8');
  const part = text.split(/^device /m).find((device) => device.includes(` mounted on ${mount} `)) ?? '';
  const lines = (part.split('per-op statistics')[1] ?? '').matchAll(/^\s*([A-Z_]+): (\d+)/gm);
  return new Map([...lines].map(([, call, times]) => [call ?? '', Number(times)]));
}
