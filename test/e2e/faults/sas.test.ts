import assert from 'node:assert/strict';
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  AccountSASPermissions,
  AccountSASResourceTypes,
  AccountSASServices,
  ContainerSASPermissions,
  generateAccountSASQueryParameters,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { ACCOUNT, type App, seen, test, until, World } from '../../support/index.js';

const MIB = 1024 * 1024;
const KEY = new StorageSharedKeyCredential(ACCOUNT.name, ACCOUNT.key);
const inHours = (hours: number): Date => new Date(Date.now() + hours * 3_600_000);
const RIGHTS = 'racwd';

const accountSas = (expiresOn: Date): string =>
  generateAccountSASQueryParameters(
    {
      expiresOn,
      permissions: AccountSASPermissions.parse(RIGHTS),
      resourceTypes: AccountSASResourceTypes.parse('o').toString(),
      services: AccountSASServices.parse('b').toString(),
    },
    KEY,
  ).toString();

/** A signature that holds as long as the container has a policy of this name. */
const policySas = (world: World, identifier: string): string =>
  generateBlobSASQueryParameters({ containerName: world.container, identifier }, KEY).toString();

/** Leaves the container with these policies alone: signatures by any other are refused from now on. */
async function policies(world: World, ...ids: string[]): Promise<void> {
  const accessPolicy = {
    startsOn: inHours(-1),
    expiresOn: inHours(1),
    permissions: ContainerSASPermissions.parse(RIGHTS).toString(),
  };
  const container = world.azurite.client.getContainerClient(world.container);
  await container.setAccessPolicy(
    undefined,
    ids.map((id) => ({ id, accessPolicy })),
  );
}

/** A folder like a mounted Secret, whose content is exchanged by one rename of a symlink. */
class MountedSecret {
  readonly path: string;
  private version = 0;

  constructor(
    private readonly folder: string,
    text: string,
  ) {
    mkdirSync(folder);
    this.put(text);
    symlinkSync('..data/sas', join(folder, 'sas'));
    this.path = join(folder, 'sas');
  }

  put(text: string): void {
    const name = `..version_${++this.version}`;
    mkdirSync(join(this.folder, name));
    writeFileSync(join(this.folder, name, 'sas'), text);
    symlinkSync(name, join(this.folder, '..data_tmp'));
    renameSync(join(this.folder, '..data_tmp'), join(this.folder, '..data'));
  }
}

const start = (world: World, secret: MountedSecret, more: Record<string, string> = {}): Promise<App> =>
  world.start('uploader', {
    APP_AZURE_CREDENTIAL: 'sas',
    APP_AZURE_SAS_FILE: secret.path,
    APP_AZURE_ACCOUNT_NAME: '',
    APP_AZURE_ACCOUNT_KEY: '',
    APP_LOG_LEVEL: 'debug',
    ...more,
  });

/** Where a signature may not stand. */
async function nowhere(world: World, uploader: App, names: string[]): Promise<void> {
  const answers = await Promise.all(
    ['/v1/status', ...names.map((name) => `/v1/files/${name}`)].map((path) => world.api(path)),
  );
  for (const text of [uploader.stdout, uploader.stderr, ...answers.map((answer) => answer.text)])
    assert.ok(!/\bsig=(?!\[redacted])/.test(text), text.slice(0, 500));
}

test('a signature of the account, with the question mark before it and a newline after it, also with auto', async (t) => {
  const world = await World.make(t, { start: ['api', 'scanner'] });
  const secret = new MountedSecret(join(world.folder, 'secret'), `?${accountSas(inHours(1))}\n`);
  const uploader = await (await start(world, secret, { APP_AZURE_CREDENTIAL: 'auto' })).ready();
  const session = await world.startSession('sas');
  const wanted = new Map(
    Object.entries({ small: 1000, large: 20 * MIB }).map(([name, size]) => [
      `${session}/${name}`,
      world.drop(name, size),
    ]),
  );
  await world.done(2);
  assert.deepEqual(await world.blobs(), wanted);
  assert.equal(uploader.logs.find(({ msg }) => msg === 'the store lets us in')?.way, 'sas');
  await nowhere(world, uploader, ['small', 'large']);
});

test('a refused signature is an outage until another one is there; one that was exchanged in time is none', async (t) => {
  const world = await World.make(t, { start: ['api', 'scanner'], env: { APP_MAX_ATTEMPTS: '2' } });
  await policies(world, 'one', 'two');
  const secret = new MountedSecret(join(world.folder, 'secret'), policySas(world, 'one'));
  const uploader = await (await start(world, secret)).ready();
  const session = await world.startSession('renewed');
  const wanted = new Map([[`${session}/first`, world.drop('first', 1000)]]);
  await world.done(1);

  secret.put(`${policySas(world, 'two')}\n`);
  await policies(world, 'two', 'three');
  wanted.set(`${session}/second`, world.drop('second', 9 * MIB));
  await world.done(2);
  assert.ok(!uploader.logs.some(({ msg }) => String(msg).includes('the store is away')));

  await policies(world, 'three');
  for (const name of ['third', 'fourth']) wanted.set(`${session}/${name}`, world.drop(name, 9 * MIB));
  await until('problems name the file', async () =>
    (await world.status()).problems.some((problem: string) =>
      /store is away.*the shared access signature in APP_AZURE_SAS_FILE is refused/.test(problem),
    ),
  );
  await nowhere(world, uploader, ['third']);
  secret.put(policySas(world, 'three'));
  await world.done(4);
  assert.deepEqual(await world.blobs(), wanted);
  const { processed_err, queue } = await world.status();
  assert.deepEqual({ processed_err, failed: queue.failed }, { processed_err: 0, failed: 0 });
  await nowhere(world, uploader, ['first', 'second', 'third', 'fourth']);
  seen(t, {
    fault: 'the shared access signature is revoked',
    injected: 'an access policy that is gone; the file comes later',
    promised: 'uploads pause until the file holds another, nothing is counted',
    files: 4,
  });
});

test('a signature that ran out, is none, or is not there is named at start', async (t) => {
  const world = await World.make(t, { start: ['scanner'] });
  for (const [text, message] of [
    [accountSas(inHours(-2)), /APP_AZURE_SAS_FILE ran out at 20\d\d-.*; put a new one there/],
    ['not a signature', /APP_AZURE_SAS_FILE holds no shared access signature/],
    [accountSas(inHours(1)).replace(/sig=[^&]+/, 'sig=AAAA'), /APP_AZURE_SAS_FILE is refused/],
    [null, /APP_AZURE_SAS_FILE: it cannot be read: ENOENT/],
  ] as const) {
    const secret = new MountedSecret(join(world.folder, `secret ${message.source.length}`), text ?? '');
    const uploader = await start(world, secret, text === null ? { APP_AZURE_SAS_FILE: '/nowhere/sas' } : {});
    assert.equal((await uploader.ended).code, 1);
    assert.match(String(uploader.logs.at(-1)?.msg), message);
    assert.ok(!/\bsig=(?!\[redacted]|\.\.\.)/.test(uploader.stdout), uploader.stdout);
  }
});
