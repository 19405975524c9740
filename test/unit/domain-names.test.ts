import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import {
  blobName,
  blobNameFault,
  claimKey,
  datePrefix,
  decodeSession,
  encodeSession,
  fileNameFault,
  folderOf,
  InvalidSessionName,
  isDatePrefix,
  isEncodedSession,
  isRemovingNameOf,
  jobId,
  lastPart,
  Layout,
  parseSessionKey,
  percentDecode,
  percentEncode,
  reasonFileName,
  removedFileName,
  removingName,
  removingToken,
  sameContent,
  sameFile,
  sessionKey,
  shortReasonFileName,
  shortRemovingName,
  sideNoteName,
  sideNoteToken,
} from '@app/shared/domain';
import { test } from '../support/index.js';

const text = fc.string({ unit: 'binary' });
/** Any name that a file directly in the drop folder can have and Sluice takes. */
const fileName = fc
  .oneof(
    text,
    fc.string({ unit: 'grapheme', maxLength: 300 }),
    fc
      .tuple(fc.constantFrom('a', 'é', '文', '😀', '~'), fc.integer({ min: 1, max: 255 }))
      .map(([c, n]) => c.repeat(n)),
  )
  .filter((name) => fileNameFault(name) === null && !name.includes('/'));
/** Any path that a file below the drop folder can have and Sluice takes. */
const filePath = fc
  .array(fileName, { minLength: 1, maxLength: 17 })
  .map((parts) => parts.join('/'))
  .filter((name) => fileNameFault(name) === null);
const token = fc.stringMatching(/^[0-9a-f]{8}$/);
const bytes = (name: string): number => Buffer.byteLength(name);

test('percent-encoding keeps unreserved characters, encodes every other byte, and comes back', () => {
  fc.assert(
    fc.property(text, (name) => {
      const encoded = percentEncode(name);
      assert.match(encoded, /^(?:[A-Za-z0-9\-._~]|%[0-9A-F]{2})*$/);
      assert.ok(!encoded.endsWith('.'));
      assert.equal(decodeURIComponent(encoded), name);
      assert.equal(percentDecode(encoded), name);
    }),
  );
});

for (const [name, encoded] of [
  ['my session', 'my%20session'],
  ['.', '%2E'],
  ['..', '%2E%2E'],
  ['...', '..%2E'],
  ['a.', 'a%2E'],
  ['a.b', 'a.b'],
  ["!*'()", '%21%2A%27%28%29'],
  ['a/b', 'a%2Fb'],
  ['50%', '50%25'],
  ['%20', '%2520'],
  ['-._~', '-._~'],
  ['é', '%C3%A9'],
  ['e\u0301', 'e%CC%81'],
  ['😀', '%F0%9F%98%80'],
  [' x ', '%20x%20'],
  ['a:b\\c?d#e', 'a%3Ab%5Cc%3Fd%23e'],
  ['x\ufffe', 'x%EF%BF%BE'],
] as const)
  test(`the session ${JSON.stringify(name)} is called ${encoded}`, () => {
    assert.equal(encodeSession(name), encoded);
    assert.equal(decodeSession(encoded), name);
    assert.ok(isEncodedSession(encoded));
  });

for (const [what, name, message] of [
  ['201 bytes after encoding', 'a'.repeat(201), /201 bytes/],
  ['over 200 bytes only after encoding', ' '.repeat(67), /201 bytes/],
  ['300 characters', 'x'.repeat(300), /300 bytes/],
  ['a newline', 'a\nb', /control character/],
  ['a NUL', 'a\0b', /control character/],
  ['DEL', '\x7f', /control character/],
  ['a C1 control', 'a\u0085', /control character/],
  ['a lone surrogate', 'a\ud800', /lone surrogate/],
  ['nothing', '', /empty/],
  ['a reserved beginning', '.sluice-x', /reserved/],
] as const)
  test(`a session name with ${what} is refused with a sentence`, () => {
    assert.throws(
      () => encodeSession(name),
      (error) => error instanceof InvalidSessionName && message.test(error.message),
    );
  });

test('200 bytes after encoding are allowed', () => {
  assert.equal(encodeSession('a'.repeat(200)).length, 200);
});

test('every session name is refused, or is one folder that comes back; no two share one', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }),
      text,
      (wild, other) => {
        for (const name of [wild, other]) {
          let encoded;
          try {
            encoded = encodeSession(name);
          } catch (error) {
            assert.ok(error instanceof InvalidSessionName);
            continue;
          }
          assert.ok(encoded.length <= 200 && encoded !== '.' && encoded !== '..' && !encoded.includes('/'));
          assert.equal(decodeSession(encoded), name);
          assert.deepEqual(parseSessionKey(`20260131/${encoded}`), {
            datePrefix: '20260131',
            encodedSession: encoded,
          });
        }
      },
    ),
  );
});

test('what no encoding gives is no encoded session', () => {
  for (const no of [
    '',
    '.',
    '..',
    'a.',
    'a b',
    '%2e',
    '%41',
    'a/b',
    '%',
    '%ZZ',
    '%FF',
    'a%0Ab',
    '../x',
    "it's",
  ])
    assert.ok(!isEncodedSession(no), no);
  for (const no of ['20260131', '20260131/a/b', '20260230/a', '/a', '20260131/', '20260131/a b', '../a'])
    assert.equal(parseSessionKey(no), null, no);
});

test('a date prefix is a day of the calendar, the UTC one', () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }),
      (date) => {
        const prefix = datePrefix(date.getTime());
        assert.equal(prefix, date.toISOString().slice(0, 10).split('-').join(''));
        assert.ok(isDatePrefix(prefix));
      },
    ),
  );
  assert.equal(datePrefix(Date.parse('2026-01-31T23:59:59.999Z')), '20260131');
  assert.ok(isDatePrefix('20240229'));
  for (const no of [
    '20260229',
    '20261301',
    '20260100',
    '2026-01-1',
    '2026013',
    '202601311',
    '',
    'today',
    '٢٠٢٦٠١٣١',
  ])
    assert.ok(!isDatePrefix(no), no);
});

test('a job id is one that BullMQ takes, says which file it is, and no two files share one', () => {
  fc.assert(
    fc.property(filePath, filePath, (a, b) => {
      const id = jobId(a);
      assert.match(id, /^f-[A-Za-z0-9\-._~%]+$/);
      assert.ok(!id.includes(':') && !Number.isInteger(Number(id)));
      assert.equal(percentDecode(id.slice(2)), a);
      assert.equal(jobId(b) === id, a === b);
    }),
  );
  assert.equal(jobId('12345'), 'f-12345');
  assert.equal(jobId('meta'), 'f-meta');
  assert.equal(jobId('2026-01-01T10:00:00.bin'), 'f-2026-01-01T10%3A00%3A00.bin');
  assert.equal(jobId('100%.bin'), 'f-100%25.bin');
  assert.equal(jobId('a/b/x.bin'), 'f-a%2Fb%2Fx.bin');
});

test('a name that leaves its folder, hides or has no UTF-8 form is no dropped file', () => {
  for (const no of ['', '.', '..', '.hidden', '.nfs0001', '../x', 'a\0b', 'a\udc00', 'é'.repeat(128)])
    assert.notEqual(fileNameFault(no), null, JSON.stringify(no));
  for (const yes of [
    '12345',
    'meta',
    '%41.bin',
    'a#b?c',
    'a\'b"c',
    'a\\b',
    'a\nb',
    'x.',
    ' ',
    'é'.repeat(127),
  ])
    assert.equal(fileNameFault(yes), null, JSON.stringify(yes));
});

test('a path of up to 17 parts is a file name, and no part of it is empty, hidden, too long or leaves its folder', () => {
  const deep = (parts: number): string => Array.from({ length: parts }, () => 'd').join('/');
  for (const yes of ['a/b', 'a/b/x.bin', deep(17), `${'d'.repeat(255)}/x`, 'a./b', 'a\\b/c', ' / '])
    assert.equal(fileNameFault(yes), null, yes);
  for (const [no, why] of [
    ['/a', /empty/],
    ['a/', /empty/],
    ['a//b', /empty/],
    ['/', /empty/],
    ['a/../b', /dot/],
    ['a/./b', /dot/],
    ['a/..', /dot/],
    ['.a/b', /dot/],
    ['a/.sluice-session', /dot/],
    [`a/${'é'.repeat(128)}`, /255 bytes/],
    [`${'d'.repeat(256)}/x`, /255 bytes/],
    ['a/b\0', /NUL/],
    [deep(18), /16 folders/],
    [Array.from({ length: 13 }, () => 'd'.repeat(250)).join('/'), /3072 bytes/],
  ] as const)
    assert.match(fileNameFault(no) ?? 'none', why, JSON.stringify(no));
});

test('whatever fits a blob name fits the limit of a path', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 1024 }), (name) => {
      fc.pre(name.length <= 1024);
      assert.ok(bytes(name) <= 3072);
    }),
  );
});

test('a path is its folder and its last part, and Sluice keeps what is beside a file in the very folder', () => {
  const layout = new Layout({ incoming: '/nfs/in', processing: '/nfs/.processing', failed: '/nfs/.failed' });
  const session = { datePrefix: '20260131', encodedSession: 's' };
  fc.assert(
    fc.property(filePath, token, (name, id) => {
      const [folder, last] = [folderOf(name), lastPart(name)];
      assert.equal(folder === '' ? last : `${folder}/${last}`, name);
      assert.ok(!last.includes('/'));
      const failed = folder === '' ? '/nfs/.failed/20260131/s' : `/nfs/.failed/20260131/s/${folder}`;
      assert.equal(layout.failedFolder(session, name), failed);
      assert.equal(layout.processingFolder(session, name), failed.replace('.failed', '.processing'));
      assert.deepEqual(layout.reasons(session, name), [
        `${failed}/${reasonFileName(last)}`,
        `${failed}/${shortReasonFileName(last)}`,
      ]);
      for (const entry of [removingName(name, id), shortRemovingName(name, id)]) {
        assert.ok(bytes(entry) <= 255 && !entry.includes('/'));
        assert.ok(isRemovingNameOf(entry, name));
        assert.ok([last, null].includes(removedFileName(entry) ?? null));
      }
    }),
  );
  assert.equal(layout.reasons(session, 'a/b/x.bin')[0], '/nfs/.failed/20260131/s/a/b/.x.bin.error.json');
});

test('a blob name is date, session and file name, literally', () => {
  const session = { datePrefix: '20260131', encodedSession: encodeSession('my session') };
  assert.equal(sessionKey(session), '20260131/my%20session');
  assert.equal(blobName(session, '%41 b.bin'), '20260131/my%20session/%41 b.bin');
});

test('a blob name that Azure would change, break on or refuse has a fault that says why', () => {
  for (const [name, why] of [
    ['d/s/a.', /dot/],
    ['d/s/a./b', /a part of it ends in a dot/],
    ['d/s/a/../b', /"\.\."/],
    ['d/s/./b', /"\."/],
    [Array.from({ length: 255 }, () => 'a').join('/'), /254 parts/],
    ['d/s/a\\b', /backslash/],
    ['d/s/a\nb', /control/],
    ['d/s/a\x7f', /control/],
    ['d/s/a\ufffe', /control/],
    [`d/s/${'a'.repeat(1021)}`, /1024/],
  ] as const)
    assert.match(blobNameFault(name) ?? 'none', why);
  for (const name of [
    'd/s/50%',
    'd/s/%2F',
    'd/s/a+b#c?d',
    'd/s/a:b',
    'd/s/é',
    'd/s/e\u0301',
    'd/s/ a ',
    'd/s/a/b/.x',
    Array.from({ length: 254 }, () => 'a').join('/'),
    `d/s/${'a'.repeat(1020)}`,
  ])
    assert.equal(blobNameFault(name), null, name);
});

test('every reason file fits in 255 bytes beside its file, and no two share one', () => {
  fc.assert(
    fc.property(fileName, fileName, (a, b) => {
      const reason = reasonFileName(a);
      assert.ok(bytes(reason) <= 255 && reason.isWellFormed());
      assert.ok(reason.startsWith('.') && reason.endsWith('.error.json') && !reason.includes('/'));
      assert.equal(reasonFileName(b) === reason, a === b);
      if (bytes(a) <= 243) assert.equal(reason, `.${a}.error.json`);
      else assert.match(reason, /~[0-9a-f]{16}\.error\.json$/s);
    }),
  );
});

test('every short reason file has 37 bytes, and is the reason of no other file', () => {
  fc.assert(
    fc.property(fileName, fileName, (a, b) => {
      const reason = shortReasonFileName(a);
      assert.match(reason, /^\.\.[0-9a-f]{24}\.error\.json$/);
      assert.equal(shortReasonFileName(b) === reason, a === b);
      assert.notEqual(reason, reasonFileName(b));
    }),
  );
});

test('a name that is cut ends in the SHA-256 of the whole name, so that long names with one beginning stay apart', () => {
  const [one, two] = ['1', '2'].map((last) => 'n'.repeat(254) + last) as [string, string];
  const digest = createHash('sha256').update(one).digest('hex').slice(0, 16);
  assert.equal(reasonFileName(one), `.${'n'.repeat(255 - 1 - 11 - 17)}~${digest}.error.json`);
  assert.notEqual(reasonFileName(one), reasonFileName(two));
  assert.ok(!isRemovingNameOf(removingName(one, '00000000'), two));
});

test('every removal name fits in 255 bytes, is reserved, and is known again', () => {
  fc.assert(
    fc.property(fileName, fileName, token, (a, b, id) => {
      const removing = removingName(a, id);
      assert.ok(bytes(removing) <= 255 && removing.isWellFormed() && !removing.includes('/'));
      assert.ok(removing.startsWith(`.sluice-removing-${id}.`));
      assert.ok(isRemovingNameOf(removing, a));
      assert.equal(isRemovingNameOf(removing, b), a === b);
      assert.ok(!isRemovingNameOf(a, a));
      // null says that the name was cut; a name that is given must be the right one
      assert.ok([a, null].includes(removedFileName(removing) ?? null));
      if (bytes(a) <= 200) assert.equal(removedFileName(removing), a);
      assert.equal(removedFileName(a), undefined);
    }),
  );
});

test('every short removal name has 40 bytes, is reserved, and is known again', () => {
  fc.assert(
    fc.property(fileName, fileName, token, (a, b, id) => {
      const removing = shortRemovingName(a, id);
      assert.equal(bytes(removing), 40);
      assert.ok(removing.startsWith(`.sluice-removing-${id}~`));
      assert.ok(isRemovingNameOf(removing, a));
      assert.equal(isRemovingNameOf(removing, b), a === b);
      assert.notEqual(removing, removingName(b, id));
      assert.equal(removedFileName(removing), null);
      for (const entry of [removing, removingName(a, id)]) assert.equal(removingToken(entry), id);
      assert.equal(sideNoteToken(sideNoteName(id)), id);
      for (const entry of [a, sideNoteName(id)]) assert.equal(removingToken(entry), null);
      for (const entry of [a, removing]) assert.equal(sideNoteToken(entry), null);
    }),
  );
});

test('a name that merely looks cut is told from one that is', () => {
  const long = 'x'.repeat(250);
  const looksCut = removingName(long, '00000000').slice('.sluice-removing-00000000.'.length);
  assert.equal(removedFileName(removingName(long, '00000000')), null);
  assert.ok(isRemovingNameOf(removingName(looksCut, '00000000'), looksCut));
  assert.equal(removedFileName(removingName(`x~${'0'.repeat(16)}`, '00000000')), `x~${'0'.repeat(16)}`);
});

test('a claim is another one when blob, inode, size or a nanosecond of mtime differ', () => {
  const file = { ino: 7n, size: 10, mtimeNs: 1_700_000_000_123_456_789n };
  const key = claimKey('d/s/a', file);
  assert.match(key, /^[0-9a-f]{32}$/);
  assert.equal(claimKey('d/s/a', { ...file }), key);
  const others = [
    claimKey('d/s/b', file),
    claimKey('d/s/a', { ...file, ino: 8n }),
    claimKey('d/s/a', { ...file, size: 11 }),
    claimKey('d/s/a', { ...file, mtimeNs: file.mtimeNs + 1n }),
    claimKey('d/s/a\n7', file),
  ];
  assert.equal(new Set([key, ...others]).size, 6);
  assert.ok(sameFile(file, { ...file }) && !sameFile(file, { ...file, ino: 8n }));
  assert.ok(
    sameContent(file, { size: 10, mtimeNs: file.mtimeNs }) && !sameContent(file, { ...file, size: 9 }),
  );
});

test('every path stays under its root', () => {
  const layout = new Layout({ incoming: '/nfs/in', processing: '/nfs/.processing', failed: '/nfs/.failed' });
  fc.assert(
    fc.property(filePath, text, (name, wild) => {
      let encodedSession;
      try {
        encodedSession = encodeSession(wild);
      } catch {
        return;
      }
      const session = { datePrefix: '20260131', encodedSession };
      assert.equal(layout.incoming(name), `/nfs/in/${name}`);
      assert.equal(layout.processing(session, name), `/nfs/.processing/20260131/${encodedSession}/${name}`);
      assert.equal(layout.failed(session, name), `/nfs/.failed/20260131/${encodedSession}/${name}`);
      assert.deepEqual(
        layout.reasons(session, name),
        [reasonFileName(name), shortReasonFileName(name)].map(
          (reason) => `${layout.failedFolder(session, name)}/${reason}`,
        ),
      );
    }),
  );
  assert.equal(layout.volumeFile, '/nfs/.processing/.sluice-volume');
  assert.equal(layout.sessionFile, '/nfs/.processing/.sluice-session');
});
