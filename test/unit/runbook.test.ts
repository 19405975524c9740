import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { test } from '../support/index.js';

const ROOT = resolve(__dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const RUNBOOK = read('docs/operate.md');
const QUOTES = [...RUNBOOK.matchAll(/^> (.+)$/gm)].map(([, quote]) => quote ?? '');

/** Where sentences of `problems` come from: files that speak of them, and those whose errors become some. */
const SPEAKS = /\b(?:problems?|trouble)\b/;
const ALSO = [
  'apps/scanner/volume-identity.ts',
  'libs/shared/src/redis/checks.ts',
  'libs/shared/src/files/roots.ts',
];
/** Words of those files that are said elsewhere: of one file, in the answer of a probe, in a log; or a part of a sentence. */
const SAID_ELSEWHERE = [
  'deeper than … folders',
  'found by recovery, waits for an uploader',
  'held: the end marker goes last, and other files of its session are not in the store yet',
  'held: the end marker goes last, and …',
  'set it with: redis-cli CONFIG SET maxmemory-policy noeviction (and in redis.conf, so that it stays)',
  'APP_NFS_INCOMING_DIR, APP_NFS_PROCESSING_ROOT and APP_NFS_FAILED_ROOT',
  'has no id (a folder of this pod alone, such as an emptyDir?)',
  'has the id …',
  '; … is missing here',
  'the lease is not asked for yet',
  'the volume is not proved yet',
  'the store is not proved yet',
  'the volume is not looked at yet',
  'Redis does not answer',
  'a file operation hangs for … s, over APP_NFS_HANG_LIMIT_S',
];

function filesOf(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`);
}

/** Texts of four words and more that a file holds outside of imports, log calls and the help of metrics; `…` stands for values. */
function sentencesOf(path: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) return;
    if (ts.isCallExpression(node) && /\blog\.\w+$/.test(node.expression.getText())) return;
    if (ts.isPropertyAssignment(node) && node.name.getText() === 'help') return;
    const text = ts.isTemplateExpression(node)
      ? node.head.text + node.templateSpans.map((span) => `…${span.literal.text}`).join('')
      : ts.isStringLiteralLike(node)
        ? node.text
        : '';
    if (text.trim().split(/\s+/).length >= 4) found.push(text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest, true));
  return found;
}

const parts = (sentence: string) =>
  sentence
    .split(/…+/)
    .map((part) => part.replace(/^[\s:,.;]+|[\s:,.;]+$/g, ''))
    .filter((part) => part.length > 3);

/** Whether a quote of the runbook stands for a sentence: one has all that stays the same in the other. */
function explained(sentence: string): boolean {
  const fixed = parts(sentence);
  return QUOTES.some((quote) => {
    const quoted = parts(quote);
    if (quoted.length === 0) return false;
    return quoted.every((part) => sentence.includes(part)) || fixed.every((part) => quote.includes(part));
  });
}

test('every sentence of `problems` that the code can say is explained in the runbook', () => {
  const code = ['apps/scanner', 'apps/uploader', 'apps/api/status'].flatMap(filesOf);
  const speak = code.filter((path) => !/\.(?:dto|controller)\.ts$/.test(path) && SPEAKS.test(read(path)));
  assert.ok(speak.length > 8, 'the files are found');
  const said = [...speak, 'apps/api/volume-sample.ts', ...ALSO].flatMap((path) =>
    sentencesOf(path).map((sentence) => ({ path, sentence })),
  );
  assert.ok(said.length > 30, 'their sentences are found');
  const missing = said.filter(({ sentence }) => !SAID_ELSEWHERE.includes(sentence) && !explained(sentence));
  assert.deepEqual(missing, []);
  const words = said.map(({ sentence }) => sentence);
  assert.deepEqual(
    SAID_ELSEWHERE.filter((sentence) => !words.includes(sentence)),
    [],
    'said nowhere any more',
  );
});

test('every alert has its part in the runbook, and no part is of an alert that is gone', () => {
  const alerts = [...read('k8s/observability/alerts.yaml').matchAll(/^\s*- alert: (\w+)$/gm)].map(
    ([, name]) => name,
  );
  const told = [...RUNBOOK.matchAll(/^### (Sluice\w+)$/gm)].map(([, name]) => name);
  assert.ok(alerts.length > 8);
  assert.deepEqual(told.sort(), [...new Set(alerts)].sort());
});
