/** What Redis answers while it takes no writes: it is full, cannot save what it has, or misses the replicas it must have. */
const REFUSAL = /(?:^|[\s-])((?:OOM|MISCONF|NOREPLICAS) .+)/;

/** Redis' own words where it answers but takes no writes; null for any other error. Reads go on in that state. */
export function writeRefusal(error: unknown): string | null {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return null;
  // a transaction says only that a command of it was refused
  const { previousErrors = [] } = error as { previousErrors?: readonly Error[] };
  return (
    [error, ...previousErrors].map(({ message }) => refusalIn(message)).find((words) => words !== null) ??
    null
  );
}

/** The same, of the text of an answer. */
export function refusalIn(text: string): string | null {
  // which script met it says nothing to an operator
  return REFUSAL.exec(text)?.[1]?.replace(/[.,]? script: .*$/, '') ?? null;
}

/** The sentence for it, as `problems` and probes show it. */
export function refusalProblem(words: string): string {
  return `Redis refuses writes: ${words}`;
}
