import assert from 'node:assert/strict';
import {
  mergeLabels,
  metadataFault,
  NO_LABELS,
  parseConfig,
  parsePairs,
  readLabels,
  tagsFault,
  writtenLabels,
} from '@app/shared/config';
import { test } from '../support/index.js';

const faultsOf = (value: unknown): string => {
  const read = readLabels(value);
  assert.ok(Array.isArray(read), JSON.stringify(read));
  return read.join('; ');
};
const many = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));

test('tags: ten of them, keys of 128 characters and values of 256 in Azure’s alphabet are taken, and no more', () => {
  assert.equal(tagsFault(many(10)), null);
  assert.match(tagsFault(many(11)) ?? '', /^has 11 tags; Azure allows 10/);
  assert.equal(tagsFault({ ['k'.repeat(128)]: 'v'.repeat(256), 'a b+-./:=_9': '' }), null);
  assert.match(tagsFault({ ['k'.repeat(129)]: 'v' }) ?? '', /129 characters; 1 to 128/);
  assert.match(tagsFault({ '': 'v' }) ?? '', /0 characters; 1 to 128/);
  assert.match(tagsFault({ k: 'v'.repeat(257) }) ?? '', /257 characters for "k"; at most 256/);
  for (const [key, value] of [
    ['k', 'ä'],
    ['k,', 'v'],
    ['k', 'a&b'],
    ['k', 'a\tb'],
  ] as const)
    assert.match(tagsFault({ [key]: value }) ?? '', /cannot hold; allowed are letters/, `${key}=${value}`);
});

test('metadata: names are identifiers, values printable, 8 KiB in all beside Sluice’s own, which nobody else may write', () => {
  assert.equal(metadataFault({ owner: 'lab 7', _x9: '~' }), null);
  for (const name of ['mtime', 'Size', 'SHA256'])
    assert.match(metadataFault({ [name]: 'v' }) ?? '', /which Sluice writes itself/, name);
  for (const name of ['9x', 'a-b', 'ä', '', 'a.b'])
    assert.match(metadataFault({ [name]: 'v' }) ?? '', /allowed are letters, digits and _/, name);
  for (const value of ['', ' v', 'v ', 'é', 'a\nb'])
    assert.match(metadataFault({ k: value }) ?? '', /printable ASCII/, JSON.stringify(value));
  assert.match(metadataFault({ k: 'v', K: 'v' }) ?? '', /twice/);
  assert.equal(metadataFault({ k: 'v'.repeat(8192 - 160 - 1) }), null);
  assert.match(metadataFault({ k: 'v'.repeat(8192 - 160) }) ?? '', /8033 bytes .* at most 8032/);
});

test('labels of a call: every fault is named with its path, all of them at once', () => {
  assert.match(faultsOf([]), /^labels must be an object/);
  assert.match(faultsOf({ tear: 'Hot' }), /^labels has no "tear"; it takes tier, tags/);
  assert.match(faultsOf({ tier: 'hot' }), /^labels.tier must be one of Hot, Cool, Cold, Archive$/);
  assert.match(faultsOf({ tags: { a: 1 } }), /^labels.tags must be an object of texts$/);
  assert.match(faultsOf({ metadata: [] }), /^labels.metadata must be an object of texts$/);
  assert.match(faultsOf({ encryption_scope: 'A--b' }), /^labels.encryption_scope is "A--b"; .* 3 to 63/);
  assert.match(faultsOf({ tags: many(11), metadata: { mtime: 'x' } }), /^labels.tags .*; labels.metadata /);
  const labels = {
    tier: 'Cold',
    tags: { a: '1' },
    metadata: { b: '2' },
    encryption_scope: 'scope-1',
  } as const;
  const read = readLabels(labels);
  assert.ok(!Array.isArray(read));
  assert.deepEqual(writtenLabels(read), labels);
  assert.deepEqual(readLabels({ tier: null, tags: null }), NO_LABELS);
  assert.deepEqual(writtenLabels(NO_LABELS), {});
});

test('a session’s labels go over those for all files: tag by tag, and metadata whatever the case of its names', () => {
  const all = {
    tier: 'Cool',
    tags: { a: '1', b: '1' },
    metadata: { Owner: 'all', site: 'x' },
    encryptionScope: 'one',
  } as const;
  const own = { tier: null, tags: { b: '2' }, metadata: { owner: 'mine' }, encryptionScope: 'two' };
  assert.deepEqual(mergeLabels(all, own), {
    tier: 'Cool',
    tags: { a: '1', b: '2' },
    metadata: { site: 'x', owner: 'mine' },
    encryptionScope: 'two',
  });
  assert.deepEqual(mergeLabels(all, NO_LABELS), all);
});

test('settings: pairs are split at commas and at the first equals sign; what Azure would refuse is said at start', () => {
  assert.deepEqual(parsePairs(' a=1, b=x=y ,c='), { a: '1', b: 'x=y', c: '' });
  assert.throws(() => parsePairs('a'), /must be key=value,...; "a" is no such pair/);
  assert.throws(() => parsePairs('=a'), /no such pair/);
  assert.throws(() => parsePairs('a=1,a=2'), /has a key twice/);
  const env = {
    APP_AZURE_ACCESS_TIER: 'Cool',
    APP_AZURE_TAGS: 'a=1',
    APP_AZURE_METADATA: 'b=2',
    APP_AZURE_ENCRYPTION_SCOPE: 'scope-1',
  };
  assert.deepEqual(parseConfig('api', env).labels, {
    tier: 'Cool',
    tags: { a: '1' },
    metadata: { b: '2' },
    encryptionScope: 'scope-1',
  });
  assert.deepEqual(parseConfig('api', {}).labels, NO_LABELS);
  assert.throws(
    () =>
      parseConfig('api', {
        APP_AZURE_ACCESS_TIER: 'Warm',
        APP_AZURE_TAGS: 'a=ä',
        APP_AZURE_METADATA: 'size=1',
        APP_AZURE_ENCRYPTION_SCOPE: 'x',
      }),
    /APP_AZURE_ACCESS_TIER must be one of .*APP_AZURE_TAGS has a character .*APP_AZURE_METADATA has "size", which Sluice .*APP_AZURE_ENCRYPTION_SCOPE is "x"/,
  );
});
