import assert from 'node:assert/strict';
import fc from 'fast-check';
import picomatch from 'picomatch';
import { parseConfig } from '@app/shared/config';
import { test } from '../support/index.js';

const patternsOf = (text: string) =>
  parseConfig('scanner', { APP_IGNORE_PATTERNS: text }).scan.ignorePatterns;

test('a list of patterns is split at its commas, and not inside of brackets', () => {
  for (const [text, patterns] of [
    ['*.part,*.tmp', ['*.part', '*.tmp']],
    ['*.{part,tmp}', ['*.{part,tmp}']],
    ['*.{part,tmp}, ~*,', ['*.{part,tmp}', '~*']],
    ['a{b,{c,d}},e', ['a{b,{c,d}}', 'e']],
    ['@(a,b|c),d', ['@(a,b|c)', 'd']],
    ['[a,b],c', ['[a,b]', 'c']],
    ['[],]x,c', ['[],]x', 'c']],
    ['[!],{]x,c', ['[!],{]x', 'c']],
    ['a\\,b,c', ['a\\,b', 'c']],
    ['\\{a,b', ['\\{a', 'b']],
  ] as const)
    assert.deepEqual(patternsOf(text), patterns, text);
});

test('a bracket without its partner is refused at start, with the pattern', () => {
  for (const text of ['*.{part,tmp', '*.part},*.tmp', 'a[b,c', 'x),y', '*.tmp,@(a|b', '{a,b]', '[{'])
    assert.throws(() => patternsOf(text), /APP_IGNORE_PATTERNS has a .*backslash before a bracket/, text);
});

test('patterns that were joined by commas come apart again, and match what each of them matches', () => {
  const word = fc.stringMatching(/^[a-z0-9]{1,4}$/);
  const pattern = fc.oneof(
    word,
    word.map((suffix) => `*.${suffix}`),
    fc.array(word, { minLength: 2, maxLength: 3 }).map((words) => `*.{${words.join(',')}}`),
    fc.tuple(word, word).map(([a, b]) => `${a}[${b},]`),
  );
  fc.assert(
    fc.property(fc.array(pattern, { minLength: 1, maxLength: 5 }), word, word, (patterns, stem, suffix) => {
      const split = patternsOf(patterns.join(','));
      assert.deepEqual(split, patterns);
      const name = `${stem}.${suffix}`;
      const any = patterns.some((one) => picomatch.isMatch(name, one));
      assert.equal(picomatch(split, { dot: true })(name), any);
    }),
  );
});
