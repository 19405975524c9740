import { spec } from 'node:test/reporters';
import { run } from 'node:test';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** No file of tests may take longer, waits for open handles included; milliseconds. */
const FILE_LIMIT_MS = 300_000;
/** Files of tests at once; each has its own services, and the machine of CI has two processors. */
const AT_ONCE = 3;

/** Runs the test files below the folders (or the files) named on the command line, and says how many passed. */
function main(args: string[]): void {
  const oneByOne = args.includes('--one-by-one');
  const files = args.filter((arg) => !arg.startsWith('--')).flatMap(testFiles);
  if (files.length === 0) {
    console.error('no test file found; is the project built?');
    process.exit(1);
  }
  let [passed, failed] = [0, 0];
  const failures: string[] = [];
  const stream = run({ files, concurrency: oneByOne ? 1 : AT_ONCE, timeout: FILE_LIMIT_MS });
  stream.on('test:pass', ({ details, skip, todo }) => {
    if (details.type !== 'suite' && skip === undefined && todo === undefined) passed += 1;
  });
  stream.on('test:fail', ({ name, details }) => {
    if (details.type === 'suite') return;
    failed += 1;
    failures.push(name);
  });
  stream.on('end', () => {
    for (const name of failures) console.log(`failed: ${name}`);
    console.log(`${passed} passed, ${failed} failed`);
    process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
  });
  stream.compose(new spec()).pipe(process.stdout);
}

function testFiles(path: string): string[] {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.js'))
    .sort()
    .map((name) => join(path, name));
}

main(process.argv.slice(2));
