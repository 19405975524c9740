import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test, type TestContext } from '../support/index.js';

const CLI = resolve(__dirname, '../../apps/cli/main.js');

/** The completion script of a shell in a file. */
function scriptOf(t: TestContext, shell: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-completion-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'sluice');
  writeFileSync(path, execFileSync(process.execPath, [CLI, 'completion', shell]));
  return path;
}

/** What bash offers for the last of these words. */
function offeredByBash(script: string, words: string[]): string[] {
  const quoted = ['sluice', ...words].map((word) => `'${word}'`).join(' ');
  const text = execFileSync('bash', [
    '-c',
    `. '${script}'; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; _sluice; printf '%s\\n' "\${COMPREPLY[@]}"`,
  ]);
  return String(text).split('\n').filter(Boolean).sort();
}

test('bash completes commands, options and the values of those that have few', (t) => {
  const script = scriptOf(t, 'bash');
  assert.deepEqual(offeredByBash(script, ['sta']), ['start', 'status']);
  assert.deepEqual(offeredByBash(script, ['--url', 'http://x', 'man']), ['manifest']);
  assert.deepEqual(offeredByBash(script, ['stop', '--d']), ['--drain']);
  assert.deepEqual(offeredByBash(script, ['files', '--state', 'se']), ['settling']);
  assert.deepEqual(offeredByBash(script, ['files', '--session', '']), []);
  assert.deepEqual(offeredByBash(script, ['completion', '']).slice(-3), ['bash', 'fish', 'zsh']);
});

test('fish completes the same', (t) => {
  const script = scriptOf(t, 'fish');
  const offered = (line: string) =>
    String(execFileSync('fish', ['--no-config', '-c', `source '${script}'; complete -C '${line}'`]))
      .split('\n')
      .map((offer) => offer.split('\t')[0])
      .filter(Boolean)
      .sort();
  assert.deepEqual(offered('sluice sta'), ['start', 'status']);
  assert.deepEqual(offered('sluice stop --d'), ['--drain']);
  assert.deepEqual(offered('sluice files --state se'), ['settling']);
  assert.deepEqual(offered('sluice completion '), ['bash', 'fish', 'zsh']);
});

test('zsh completes the same', (t) => {
  const script = scriptOf(t, 'zsh');
  // a terminal of its own: zsh completes only where somebody types
  const told = String(
    execFileSync('zsh', [
      ...['-f', '-c'],
      `zmodload zsh/zpty
       zpty -b shell zsh -f -i
       ask() { zpty -w shell "$1"; local out= part=; for i in {1..1200}; do zpty -r -t shell part && out+=$part; [[ $out == *"$2"* ]] && break; sleep 0.05; done; print -r -- "$out" }
       ask "PS1=; autoload -Uz compinit; compinit -u -D; source '${script}'; echo rea''dy" ready
       ask $'sluice files --state sett\\t; echo don\\'\\'e' settling
       ask $'sluice stop --dra\\t' --drain`,
    ]),
  );
  assert.match(told, /--state settling/);
  assert.match(told, /stop --drain/);
});
