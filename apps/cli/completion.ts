/** An option as a shell completes it. */
export interface CompletedOption {
  /** With its dashes. */
  readonly name: string;
  readonly about: string;
  readonly takesValue: boolean;
  /** Its values, where they are few and known. */
  readonly choices: readonly string[];
}

/** A command as a shell completes it. */
export interface Completed {
  readonly name: string;
  readonly about: string;
  readonly options: readonly CompletedOption[];
  /** What its argument may be, where that is known. */
  readonly choices: readonly string[];
}

/** The completion of bash. */
export function bashCompletion(commands: readonly Completed[], shared: readonly CompletedOption[]): string {
  const valued = [...shared, ...commands.flatMap(({ options }) => options)].filter(
    ({ takesValue }) => takesValue,
  );
  const cases = commands.map(
    ({ name, options, choices }) =>
      `    ${name}) words=${quoted(
        [...options, ...shared]
          .map((one) => one.name)
          .concat(choices)
          .join(' '),
      )} ;;`,
  );
  return `# bash completion of sluice; source it
_sluice() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} command= words= i
  COMPREPLY=()
  case $before in
${valuesOf(valued)}
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      ${alternatives(valued)}) ((i++)) ;;
      -*) ;;
      *) command=\${COMP_WORDS[i]}; break ;;
    esac
  done
  case $command in
    '') words=${quoted([...commands.map(({ name }) => name), ...shared.map(({ name }) => name)].join(' '))} ;;
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _sluice sluice
`;
}

/** The completion of zsh. */
export function zshCompletion(commands: readonly Completed[], shared: readonly CompletedOption[]): string {
  const spec = ({ name, about, takesValue, choices }: CompletedOption) =>
    quoted(
      `${name}[${plain(about)}]${takesValue ? `:value:${choices.length > 0 ? `(${choices.join(' ')})` : ''}` : ''}`,
    );
  const cases = commands.map(({ name, options, choices }) => {
    const specs = [...options, ...shared].map(spec);
    return `      ${name}) _arguments ${[...specs, quoted(choices.length > 0 ? `*:what:(${choices.join(' ')})` : '*:what:_default')].join(' ')} ;;`;
  });
  return `#compdef sluice
_sluice() {
  local line state
  local -a commands=(${commands.map(({ name, about }) => quoted(`${name}:${plain(about)}`)).join(' ')})
  _arguments -C ${shared.map(spec).join(' ')} '1: :->command' '*::rest:->rest'
  case $state in
    command) _describe command commands ;;
    rest) case $line[1] in
${cases.join('\n')}
    esac ;;
  esac
}
compdef _sluice sluice
`;
}

/** The completion of fish. */
export function fishCompletion(commands: readonly Completed[], shared: readonly CompletedOption[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  const option = (where: string, { name, about, takesValue, choices }: CompletedOption) =>
    `complete -c sluice${where} -l ${name.replace(/^--/, '')}${takesValue ? ' -x' : ''}${choices.length > 0 ? ` -a ${quoted(choices.join(' '))}` : ''} -d ${quoted(about)}`;
  return [
    '# fish completion of sluice',
    `set -l sluice_commands ${names}`,
    ...shared.map((one) => option('', one)),
    ...commands.flatMap(({ name, about, options, choices }) => {
      const inside = ` -n ${quoted(`__fish_seen_subcommand_from ${name}`)}`;
      return [
        `complete -c sluice -n "not __fish_seen_subcommand_from $sluice_commands" -f -a ${name} -d ${quoted(about)}`,
        ...options.map((one) => option(inside, one)),
        ...(choices.length > 0 ? [`complete -c sluice${inside} -f -a ${quoted(choices.join(' '))}`] : []),
      ];
    }),
    '',
  ].join('\n');
}

/** The cases of options that take a value: it is one of a few, or any. */
function valuesOf(options: readonly CompletedOption[]): string {
  return [...new Map(options.map((option) => [option.name, option])).values()]
    .map(({ name, choices }) =>
      choices.length > 0
        ? `    ${name}) COMPREPLY=($(compgen -W ${quoted(choices.join(' '))} -- "$word")); return ;;`
        : `    ${name}) return ;;`,
    )
    .join('\n');
}

const alternatives = (options: readonly CompletedOption[]): string =>
  [...new Set(options.map(({ name }) => name))].join('|');

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** Brackets and colons are signs of zsh's own. */
const plain = (text: string): string => text.replace(/[[\]:\\]/g, ' ');
