import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { NfsCount } from '../nfs-inside.js';
import type { TreeCount } from '../nfs-tree.js';
import { PROJECT } from '../places.js';
import { median } from '../results.js';
import type { Run, Subcommand } from '../subcommand.js';
import { isThere, need } from '../tools.js';

/**
 * NFS calls a file, ours and rclone's from the same mount, on a real NFS server and client in a kernel of their own
 * (test/nfs-lab.sh, which needs root). Reads are counted apart: they are the bytes themselves.
 */
export const nfsCalls: Subcommand = async ({ rounds, small }: Run) => {
  if (process.getuid?.() !== 0 || !isThere('apt-get'))
    return { tables: [], goals: [], notes: ['Not run: it needs root, and packages of Debian or Ubuntu.'] };
  need('cc', 'linux.uml', 'exportfs', 'modprobe', 'ip');
  const inside = [
    process.execPath,
    join(PROJECT, 'dist/bench/nfs-inside.js'),
    String(rounds),
    small ? 'small' : 'full',
  ];
  const lab = ['test/nfs-lab.sh', '-m', '4096', '-t', '1800', ...inside];
  console.log('booting the kernel with NFS');
  const { status, stdout, stderr } = spawnSync('bash', lab, {
    cwd: PROJECT,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  const said = (word: string) => {
    const line = stdout.split('\n').find((one) => one.startsWith(`${word} `));
    return line === undefined ? null : (JSON.parse(line.slice(word.length + 1)) as unknown);
  };
  const [counts, tree] = [said('RESULT') as NfsCount[] | null, said('TREE') as TreeCount | null];
  if (status !== 0 || !counts || !tree)
    throw new Error(`nfs-lab ended with ${status}: ${stdout.slice(-2000)}${stderr.slice(-2000)}`);
  const goals = counts.map(({ kib, ours, rclone }) => ({
    work: `NFS calls a file of ${kib} KiB, READs apart, scan included`,
    measure: 'against rclone move from the same mount',
    value: median(ours.map(callsOf)) / median(rclone.map(callsOf)),
    ...({ unit: 'x', sense: 'at most', goal: 2, stretch: 1.5 } as const),
  }));
  const treeGoal = {
    work: `a scan of ${tree.folders} folders in which nothing changes`,
    measure: 'NFS calls a folder',
    value: callsOf(tree.atRest) / tree.folders,
    ...({ unit: '', sense: 'at most', goal: 1.1 } as const),
  };
  const notes = counts.flatMap(({ kib, files, ours, rclone }) => [
    `${files} files of ${kib} KiB, rclone: ${describe(rclone)}.`,
    `${files} files of ${kib} KiB, Sluice: ${describe(ours)}.`,
  ]);
  notes.push(
    `${tree.folders} folders at rest: ${kindsOf(tree.atRest)} a scan.`,
    `Three of ${tree.folders} folders changed: ${kindsOf(tree.threeChanged)} in ${tree.scans} scans together.`,
  );
  for (const note of notes) console.log(note);
  return {
    tables: [],
    goals: [...goals, treeGoal],
    notes: [...notes, `The kernel inside: ${kernelInside()}.`],
  };
};

function callsOf(counted: Readonly<Record<string, number>>): number {
  return Object.entries(counted).reduce((sum, [call, times]) => (call === 'READ' ? sum : sum + times), 0);
}

/** Calls a file by kind, of the turn in the middle. */
function describe(turns: readonly Readonly<Record<string, number>>[]): string {
  const sorted = [...turns].sort((a, b) => callsOf(a) - callsOf(b));
  const middle = sorted[sorted.length >> 1] ?? {};
  return `${callsOf(middle).toFixed(2)} calls a file without READ (${kindsOf(middle)})`;
}

function kindsOf(counted: Readonly<Record<string, number>>): string {
  const kinds = Object.entries(counted).filter(([, times]) => times >= 0.005);
  return kinds
    .sort(([, a], [, b]) => b - a)
    .map(([call, times]) => `${call} ${times.toFixed(2)}`)
    .join(', ');
}

function kernelInside(): string {
  return execFileSync('sh', ['-c', 'ls /usr/lib/uml/modules 2>/dev/null || echo unknown'], {
    encoding: 'utf8',
  }).trim();
}
