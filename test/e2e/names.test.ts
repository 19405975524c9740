import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test, until, World } from '../support/index.js';

/** Names that break naive code, each of which must arrive under exactly its name. */
const KEPT = [
  '12345',
  'meta',
  'completed',
  'wait',
  '2026-01-01T10:00:00.bin',
  '100%.bin',
  '%41.bin',
  '%2e%2e',
  'a#b?c',
  ' leading and trailing ',
  'a+b=c&d.bin',
  `quotes'"\`.bin`,
  '🚀 emoji.bin',
  'e\u0301 decomposed.bin',
  '\u00e9 composed.bin',
  'x'.repeat(255),
  'ü'.repeat(127),
  '-rf',
  '~',
  '__proto__',
  '*?[a]',
  'a:b:c',
];

test('every name is kept to the letter, or quarantined with a reason, and none stalls the rest', async (t) => {
  const world = await World.make(t, { env: { APP_IGNORE_PATTERNS: '*.part,*.tmp' } });
  const session = await world.startSession('names & "more"/…');
  const refused = ['trailing dot.', 'back\\slash', 'new\nline', 'bell\u0007'];
  const wanted = new Map(KEPT.map((name, i) => [`${session}/${name}`, world.drop(name, 100 + i)]));
  for (const [i, name] of refused.entries()) world.drop(name, 50 + i);
  mkdirSync(join(world.incoming, 'a folder'));
  symlinkSync('/etc/hostname', join(world.incoming, 'a link'));
  execFileSync('mkfifo', [join(world.incoming, 'a pipe')]);
  writeFileSync(join(world.incoming, '.nfs0001'), 'x');
  writeFileSync(join(world.incoming, 'growing.part'), 'x');
  writeFileSync(Buffer.concat([Buffer.from(`${world.incoming}/bad`), Buffer.from([0xff, 0xfe])]), 'x');

  await world.done(KEPT.length);
  await until(
    'the refused are quarantined',
    async () => (await world.status()).processed_err === refused.length,
  );
  const blobs = await world.blobs();
  assert.deepEqual(new Map([...blobs].sort()), new Map([...wanted].sort()));
  for (const name of refused) {
    assert.ok(existsSync(join(world.failed, session, name)), name);
    const reason = JSON.parse(readFileSync(join(world.failed, session, `.${name}.error.json`), 'utf8'));
    assert.equal(reason.code, 'InvalidBlobName');
    assert.equal(reason.filename, name);
    const { body } = await world.api(`/v1/files/${encodeURIComponent(name)}`);
    assert.equal(body.state, 'failed');
    assert.match(body.why, /InvalidBlobName|cannot be kept/);
  }
  const status = await until('all that is left is ignored', async () => {
    const now = await world.status();
    return now.incoming?.ignored === 6 && now.incoming.seen === 6 ? now : null;
  });
  assert.deepEqual(status.queue, { waiting: 0, active: 0, delayed: 0, failed: refused.length });
  const ignored = (await world.api('/v1/files?state=ignored')).body.items;
  assert.equal(ignored.length, 6);
  assert.match(ignored.find((file: { filename: string }) => file.filename === 'a link').why, /symlink/);
  assert.deepEqual(
    world.filesIn(world.incoming).length,
    4 + 1,
    'a link, a pipe, .nfs, .part and the name that is no UTF-8 are left alone',
  );
});

test('a session name is encoded, or refused with a sentence that says what to change', async (t) => {
  const world = await World.make(t, { start: ['api'] });
  const encoded = async (name: string) =>
    (await world.api('/v1/watch/start', { session_name: name })).body.encoded_session;
  assert.equal(await encoded('..'), '%2E%2E');
  assert.equal(await encoded('.'), '%2E');
  assert.equal(await encoded('a/b'), 'a%2Fb');
  assert.equal(await encoded("!*'()"), '%21%2A%27%28%29');
  assert.equal(await encoded(' a '), '%20a%20');
  assert.equal(await encoded('end.'), 'end%2E');
  assert.equal(await encoded('ü'), '%C3%BC');
  assert.equal(await encoded('x'.repeat(200)), 'x'.repeat(200));
  for (const [name, word] of [
    ['x'.repeat(201), /bytes/],
    ['x'.repeat(300), /bytes/],
    ['a\u0001', /control/],
    ['a\nb', /control/],
    ['\ud800', /surrogate/],
  ] as const) {
    const answer = await world.api('/v1/watch/start', { session_name: name });
    assert.equal(answer.status, 400, JSON.stringify(name));
    assert.equal(answer.headers.get('content-type'), 'application/problem+json; charset=utf-8');
    assert.match(answer.body.detail, word);
  }
  for (const body of [undefined, {}, { session_name: null }, { session_name: '  ' }]) {
    const answer = await world.api('/v1/watch/start', body ?? {});
    assert.match(answer.body.session_name, /^00-session-/);
  }
});
