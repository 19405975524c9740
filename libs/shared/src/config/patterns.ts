const CLOSING = { '{': '}', '[': ']', '(': ')' } as const;

/**
 * Splits a comma-separated list of globs: a comma inside of braces, brackets or parentheses is the pattern's own, as in
 * `*.{part,tmp}`, and so is one after a backslash. Blanks around a pattern go, and empty ones.
 *
 * @throws Error for a bracket that is not closed or not opened: the pattern would match something else than was meant
 */
export function splitPatterns(text: string): string[] {
  const patterns: string[] = [];
  const awaited: string[] = [];
  let pattern = '';
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? '';
    const inClass = awaited.at(-1) === ']';
    if (character === '\\') {
      pattern += character + (text[++at] ?? '');
      continue;
    }
    if (character === ',' && awaited.length === 0) {
      patterns.push(pattern);
      pattern = '';
      continue;
    }
    pattern += character;
    if (character === awaited.at(-1)) awaited.pop();
    else if (inClass) continue;
    else if (character in CLOSING) {
      awaited.push(CLOSING[character as keyof typeof CLOSING]);
      // in a class a first `]` stands for itself, also after the sign that turns it round
      if (character === '[') {
        const first = /^[!^]?\]?/.exec(text.slice(at + 1))?.[0] ?? '';
        pattern += first;
        at += first.length;
      }
    } else if ('}])'.includes(character)) throw unbalanced(pattern, character, 'opened');
  }
  const missing = awaited.at(-1);
  if (missing !== undefined) throw unbalanced(pattern, missing, 'closed');
  return [...patterns, pattern].map((one) => one.trim()).filter((one) => one !== '');
}

function unbalanced(pattern: string, bracket: string, not: 'opened' | 'closed'): Error {
  const what = not === 'opened' ? `a ${bracket} that nothing opens` : `a bracket that no ${bracket} closes`;
  return new Error(
    `has ${what}, in the pattern ${JSON.stringify(pattern.trim())}; write a backslash before a bracket that stands for itself`,
  );
}
