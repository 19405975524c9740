#!/usr/bin/env node
import { Command, CommanderError, Option } from 'commander';
import { messageOf } from '@app/shared/domain';
// the whole room would load Nest, which takes longer than any of the commands
// eslint-disable-next-line no-restricted-imports
import { VERSION } from '@app/shared/runtime/version';
import { registerCanary } from './canary/index.js';
import { Refused, TimedOut, Unreachable, WrongUsage } from './client.js';
import { registerCompletion } from './commands/completion.js';
import { registerEvents } from './commands/events.js';
import { registerFiles } from './commands/files.js';
import { registerManifest } from './commands/manifest.js';
import { registerOpen } from './commands/open.js';
import { registerPlan } from './commands/plan.js';
import { registerRestore } from './commands/restore.js';
import { registerRetry } from './commands/retry.js';
import { registerSessions } from './commands/sessions.js';
import { registerStart } from './commands/start.js';
import { registerStatus } from './commands/status.js';
import { registerVerify } from './commands/verify.js';
import { registerWait } from './commands/wait.js';
import { registerWatch } from './commands/watch.js';
import { escaped } from './print.js';

const program = new Command('sluice')
  .description('See and steer a running Sluice through its REST API.')
  .version(VERSION)
  .addOption(
    new Option('--url <url>', 'where the api listens').env('SLUICE_URL').default('http://127.0.0.1:8000'),
  )
  .option('--json', "print the api's answer as JSON")
  .addHelpText(
    'after',
    `
The token of the api is read from SLUICE_TOKEN (or APP_API_TOKEN), never from the command line.
Exit codes: 0 well; 1 the api said no, or "status --check" found problems; 2 wrong usage; 3 the api is not reachable;
4 the session that was waited for is finished and not complete, or blobs are not as they were verified; 5 the wait timed out.`,
  )
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'sluice: ')) })
  .exitOverride();

for (const register of [
  registerStatus,
  registerSessions,
  registerFiles,
  registerPlan,
  registerRetry,
  registerRestore,
  registerWatch,
  registerStart,
  registerWait,
  registerVerify,
  registerManifest,
  registerEvents,
  registerOpen,
  registerCanary,
  registerCompletion,
])
  register(program);

/** The exit code of an error, after its one line on stderr. */
function codeOfError(error: unknown): number {
  // commander has said what it had to say; help and version are no errors
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  process.stderr.write(`sluice: ${escaped(messageOf(error))}\n`);
  if (error instanceof WrongUsage) return 2;
  if (error instanceof Unreachable) return 3;
  if (error instanceof TimedOut) return 5;
  if (error instanceof Refused) return 1;
  return 70;
}

// whoever read our output has read enough
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 74));

program.parseAsync().catch((error: unknown) => {
  process.exitCode = codeOfError(error);
});
