import { Argument, type Command } from 'commander';
import { bashCompletion, fishCompletion, zshCompletion, type Completed } from '../completion.js';

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

/** `sluice completion <shell>`: a script that completes commands and options. */
export function registerCompletion(program: Command): void {
  program
    .command('completion')
    .description('print the completion script of a shell')
    .addArgument(new Argument('<shell>', 'for which').choices(Object.keys(SCRIPTS)))
    .addHelpText(
      'after',
      `
bash: source <(sluice completion bash), in ~/.bashrc; zsh: the same in ~/.zshrc, after compinit;
fish: sluice completion fish > ~/.config/fish/completions/sluice.fish`,
    )
    .action((shell: keyof typeof SCRIPTS) => {
      process.stdout.write(SCRIPTS[shell](program.commands.map(completedOf), optionsOf(program)));
    });
}

function completedOf(command: Command): Completed {
  const choices = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
  return { name: command.name(), about: command.description(), options: optionsOf(command), choices };
}

function optionsOf(command: Command): Completed['options'] {
  return command.options.flatMap(({ long, description, argChoices, required }) =>
    long && long !== '--version'
      ? [{ name: long, about: description, takesValue: required, choices: argChoices ?? [] }]
      : [],
  );
}
