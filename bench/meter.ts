import { readFileSync, writeFileSync } from 'node:fs';

/** Linux counts processor time in hundredths of a second for whoever reads /proc (proc(5), USER_HZ). */
const TICKS = 100;

/** Seconds of processor time that a process has used, all its threads together. 0 once it is gone. */
export function cpuSeconds(pid: number): number {
  const fields = statFields(pid);
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS;
}

/** Seconds of processor time of all children of this process that have ended, and of theirs. */
export function endedChildrenCpuSeconds(): number {
  const fields = statFields(process.pid);
  return (Number(fields[13] ?? 0) + Number(fields[14] ?? 0)) / TICKS;
}

/** Highest resident memory of a process since its start or since {@link resetPeak}, MiB. 0 once it is gone. */
export function peakMiB(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** Begins the peak of a process anew (proc(5), clear_refs). */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Kills what this process started and has not ended: whatever happens, a run leaves nothing behind. */
export function endChildren(): void {
  const text = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8');
  for (const pid of text.split(' ').filter(Boolean)) process.kill(Number(pid), 'SIGKILL');
}

/** The fields of /proc/PID/stat behind the name, which may hold spaces; [0] is the state, field 3 of proc(5). */
function statFields(pid: number): string[] {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return line.slice(line.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}
