import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BlobServiceClient, StorageSharedKeyCredential, type ContainerClient } from '@azure/storage-blob';
import { ACCOUNT, until, writeFileOf } from '../support/index.js';

const MIB = 1024 * 1024;
/** The largest of the files; many blocks, so that an uploader can be killed between two. */
export const BIG = 'big.bin';

/**
 * Drops 30 files as a good producer does: small ones, an empty one, names with spaces, one that is big.
 *
 * @param bigBytes size of {@link BIG}
 * @returns MD5s by name
 */
export function dropThirty(incoming: string, bigBytes = 200 * MIB): Map<string, string> {
  const dropped = new Map<string, string>();
  const drop = (name: string, size: number) =>
    dropped.set(name, writeFileOf(join(incoming, name), size, dropped.size + 1));
  drop(BIG, bigBytes);
  drop('empty.bin', 0);
  drop('with space and ü.bin', 10);
  for (let i = 0; i < 27; i++) drop(`file-${i}.bin`, i * i * 10_000 + 1);
  return dropped;
}

/** The container behind an Azurite. */
export function containerAt(host: string): ContainerClient {
  return new BlobServiceClient(
    `http://${host}/${ACCOUNT.name}`,
    new StorageSharedKeyCredential(ACCOUNT.name, ACCOUNT.key),
  ).getContainerClient('ingest');
}

/** The api of a running system. */
export async function ask(host: string, path: string, token = '', body?: unknown): Promise<any> {
  const answer = await fetch(`http://${host}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    // a connection of its own: one that was kept may be closed by the time that a command of the test has ended
    headers: { connection: 'close', authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

/** Waits until all dropped files are done, then compares each blob's bytes, and looks that nothing stayed behind. */
export async function allMoved(
  host: string,
  token: string,
  container: ContainerClient,
  volume: string,
  session: string,
  dropped: ReadonlyMap<string, string>,
): Promise<void> {
  await until(
    'all files are done',
    async () => {
      const { processed_ok, processed_err, queue, problems, last_error } = await ask(
        host,
        '/v1/status',
        token,
      );
      if (processed_ok >= dropped.size) return true;
      throw new Error(JSON.stringify({ processed_ok, processed_err, queue, problems, last_error }));
    },
    150_000,
  );
  const found = new Map<string, string>();
  for await (const blob of container.listBlobsFlat()) {
    const md5 = createHash('md5');
    const { readableStreamBody } = await container.getBlobClient(blob.name).download();
    for await (const chunk of readableStreamBody ?? []) md5.update(chunk);
    found.set(blob.name, md5.digest('hex'));
  }
  const wanted = [...dropped].map(([name, md5]): [string, string] => [`${session}/${name}`, md5]);
  assert.deepEqual([...found].sort(), wanted.sort(), 'every blob is there, once, with the bytes of its file');
  await until('nothing stays on the volume', () => leftOn(volume).length === 0, 30_000);
  const { processed_ok, processed_err } = await ask(host, '/v1/status', token);
  assert.deepEqual({ processed_ok, processed_err }, { processed_ok: dropped.size, processed_err: 0 });
}

function leftOn(volume: string): string[] {
  return ['incoming', '.processing', '.failed']
    .map((folder) => join(volume, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.sluice'))
    .map((entry) => join(entry.parentPath, entry.name));
}
