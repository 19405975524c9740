import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { fileOfSidecar, readSidecar, sidecarNames } from '@app/shared/domain';
import { test } from '../support/index.js';

const SHA = createHash('sha256').update('x').digest('hex');
const MD5 = createHash('md5').update('x').digest('hex');
const digestIn = (text: string, name = 'x.bin') => readSidecar(text, name, 'sha256');

test('every form of coreutils and BSD is read, with CRLF, a BOM and upper case, and so is the bare digest', () => {
  for (const text of [
    SHA,
    `${SHA}\n`,
    `${SHA.toUpperCase()}\r\n`,
    `\ufeff${SHA}`,
    `${SHA}  x.bin\n`,
    `${SHA} *x.bin\r\n`,
    `${SHA}  ./data/x.bin\n`,
    `${SHA} *C:\\data\\x.bin\n`,
    `SHA256 (x.bin) = ${SHA}\n`,
    `SHA256(x.bin)= ${SHA.toUpperCase()}\n`,
    `SHA2-256 (/data/x.bin) = ${SHA}\n`,
    `# made by a tool\n\n${SHA}  x.bin\n`,
    `${'0'.repeat(64)}  y.bin\n${SHA}  x.bin\n`,
  ])
    assert.deepEqual(digestIn(text), { digest: SHA }, JSON.stringify(text));
  assert.deepEqual(digestIn(`${SHA}  x.bin`, 'a/b/x.bin'), { digest: SHA }, 'a path ends in the name');
  assert.deepEqual(
    digestIn(`\\${SHA}  x\\\\y\\n.bin`, 'x\\y\n.bin'),
    { digest: SHA },
    'escaped by coreutils',
  );
  assert.deepEqual(digestIn(`${SHA}  u\u0308.bin`, '\u00fc.bin'), { digest: SHA }, 'another Unicode form');
  assert.deepEqual(readSidecar(`${MD5}  x.bin`, 'x.bin', 'md5'), { digest: MD5 });
  assert.deepEqual(readSidecar(`MD5 (x.bin) = ${MD5}`, 'x.bin', 'md5'), { digest: MD5 });
});

test('what says nothing of the file is told by its fault', () => {
  const fault = (text: string): string => {
    const read = digestIn(text);
    assert.ok('fault' in read, JSON.stringify(read));
    return read.fault;
  };
  for (const text of ['', '\n\r\n', '\ufeff', '  ']) assert.equal(fault(text), 'is empty');
  for (const text of ['hello', MD5, SHA.slice(1), `${SHA}0`, `x.bin ${SHA}`, `MD5 (x.bin) = ${MD5}`])
    assert.match(fault(text), /^holds no SHA-256 of 64 hex digits/, text);
  assert.equal(fault(`${SHA}  y.bin`), 'names "y.bin", and not this file');
  assert.equal(fault(`SHA256 (sub/y.bin) = ${SHA}`), 'names "y.bin", and not this file');
  assert.equal(fault(`${SHA}\n${SHA}`), 'holds more than one digest and no name');
});

test('a name is a sidecar by its end, and that of the file without it', () => {
  assert.equal(fileOfSidecar('x.bin.sha256'), 'x.bin');
  assert.equal(fileOfSidecar('a/b/x.md5'), 'a/b/x');
  for (const name of ['x.bin', '.sha256', 'a/.md5', 'x.sha256.txt', 'sha256', 'x.SHA256'])
    assert.equal(fileOfSidecar(name), null, name);
  for (const { name } of sidecarNames('a/x')) assert.equal(fileOfSidecar(name), 'a/x');
});

test('a name that no file can have for its length is no sidecar', () => {
  const ends = (bytes: number) =>
    sidecarNames(`folder/${'ü'.repeat(bytes >> 1)}${'x'.repeat(bytes % 2)}`).map(
      ({ algorithm }) => algorithm,
    );
  assert.deepEqual([248, 249, 251, 252].map(ends), [['sha256', 'md5'], ['md5'], ['md5'], []]);
});
