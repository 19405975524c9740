import { readFileSync, realpathSync } from 'node:fs';

/** What the system says of the mount that holds a folder. */
export interface Mount {
  /** `nfs4`, `cifs`, `ext4`, ... */
  readonly type: string;
  /** Server and export, or device. */
  readonly source: string;
  /** The folder of the source that is mounted. */
  readonly root: string;
  readonly options: string;
}

/**
 * Reads the mount of a folder from `/proc/self/mountinfo`; null where there is no such file.
 *
 * @see https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
 */
export function mountOf(folder: string): Mount | null {
  let text: string;
  try {
    text = readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    return null;
  }
  return parseMount(text, realpathSync(folder));
}

/** The mount of a path in the text of a mountinfo file: the one with the longest mount point above it. */
export function parseMount(text: string, path: string): Mount | null {
  let best: { point: string; mount: Mount } | null = null;
  for (const line of text.split('\n')) {
    const [front = '', back = ''] = line.split(' - ');
    const [, , , root = '', point = ''] = front.split(' ').map(unescaped);
    const [type = '', source = '', options = ''] = back.split(' ').map(unescaped);
    const above = point === '/' || path === point || path.startsWith(`${point}/`);
    // of two mounts on one point the later hides the earlier
    if (point && above && point.length >= (best?.point.length ?? 0))
      best = { point, mount: { type, source, root, options } };
  }
  return best?.mount ?? null;
}

/** Whether the mount is of this pod alone for certain: an emptyDir, or memory. */
export function isOwn(mount: Mount | null): boolean {
  return mount !== null && (mount.type === 'tmpfs' || mount.root.includes('kubernetes.io~empty-dir'));
}

/** A mount in one line. */
export function describeMount(mount: Mount | null): string {
  if (!mount) return 'a mount that this system does not describe';
  const root = mount.root === '/' ? '' : ` [${mount.root}]`;
  return `${mount.type} from ${mount.source}${root}`;
}

function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}
