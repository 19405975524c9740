import type { Command } from 'commander';
import type { Status } from '../answers.js';
import { askOf } from './ask.js';

/** `sluice open`: where the page for people is. */
export function registerOpen(program: Command): void {
  program
    .command('open')
    .description("print the address of the api's page for people, once it answers")
    .action(async (_options: object, command: Command) => {
      const { client, print } = askOf(command);
      await client.get<Status>('v1/status');
      print({ url: client.base.href }, () => [client.base.href]);
    });
}
