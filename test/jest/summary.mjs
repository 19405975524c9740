import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** So many files of tests are named with their durations. */
const SLOWEST = 10;
/** How long a process that was just killed may take to go; milliseconds. */
const GOING_MS = 3000;
const WORD = `SLUICE_TEST_RUN=${process.env.SLUICE_TEST_RUN}`;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.once(signal, () => {
    for (const { pid } of running()) kill(pid);
    process.exit(1);
  });

/**
 * A reporter of jest's: names what failed, what was skipped and what was left running, and ends with the line that CI
 * reads, "N passed, N failed".
 */
export default class Summary {
  constructor(globalConfig) {
    this.filtered = Boolean(globalConfig.testNamePattern);
    this.watching = globalConfig.watch || globalConfig.watchAll;
  }

  async onRunComplete(contexts, results) {
    const slowest = results.testResults
      .toSorted((a, b) => b.perfStats.runtime - a.perfStats.runtime)
      .slice(0, SLOWEST);
    for (const { testFilePath, perfStats } of slowest)
      console.log(
        `${(perfStats.runtime / 1000).toFixed(0).padStart(5)} s  ${relative(process.cwd(), testFilePath)}`,
      );
    const failures = [];
    for (const { testFilePath, testExecError, testResults } of results.testResults) {
      if (testExecError) failures.push(`${testFilePath}: ${testExecError.message}`);
      for (const { fullName, status } of testResults) {
        if (status === 'failed') failures.push(fullName);
        else if (status !== 'passed' && !this.filtered) failures.push(`${fullName} (was not run)`);
      }
      if (!testExecError && testResults.length === 0) failures.push(`${testFilePath} (has no test)`);
    }
    for (const command of await leftOver()) failures.push(`left running: ${command}`);
    const line = `${results.numPassedTests} passed, ${failures.length} failed`;
    // jest's own summary comes after this reporter
    const say = () => console.log([...failures.map((failure) => `failed: ${failure}`), line].join('\n'));
    if (this.watching) say();
    else process.once('exit', say);
    this.error =
      failures.length > 0 || results.numPassedTests === 0 ? new Error('not all tests passed') : undefined;
  }

  /** Jest ends with code 1 where this answers an error. */
  getLastError() {
    return this.error;
  }
}

/** Ends what tests left running, where the system shows the environment of a process. @returns their command lines */
async function leftOver() {
  const end = Date.now() + GOING_MS;
  let found = running();
  while (found.length > 0 && Date.now() < end) {
    await pause(100);
    found = running();
  }
  for (const { pid } of found) kill(pid);
  return found.map(({ command }) => command);
}

/** Processes of this run, but for this one. */
function running() {
  if (!existsSync('/proc/self/environ')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(WORD)) return [];
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').slice(0, 120);
        return [{ pid: Number(pid), command }];
      } catch {
        return []; // it has ended, or belongs to somebody else
      }
    });
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has just ended by itself
  }
}
