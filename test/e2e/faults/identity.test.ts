import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BlobSASPermissions,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { ACCOUNT, Child, freePort, seen, test, type TestContext, until, World } from '../../support/index.js';
import { HttpProxy } from '../../support/http-proxy.js';
import { loginServer, TENANT } from '../../support/login-server.js';
import { makeCertificate, TlsProxy, type Certificate } from '../../support/tls-proxy.js';

/** The sign-in and the storage suffix of a sovereign cloud: neither is the one that a client assumes. */
const LOGIN = 'login.partner.microsoftonline.cn';
const STORE = `${ACCOUNT.name}.blob.core.chinacloudapi.cn`;
const CLIENT = '22222222-2222-2222-2222-222222222222';

/** A token as Entra ID gives it; Azurite reads its times, issuer and audience. */
function token(): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    aud: 'https://storage.azure.com',
    iss: `https://sts.chinacloudapi.cn/${TENANT}/`,
    iat: now - 60,
    nbf: now - 60,
    exp: now + 3600,
  };
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.c2lnbmF0dXJl`;
}

/** An Azurite that takes tokens, which it does over https alone. */
async function tokenStore(t: TestContext, folder: string, certificate: Certificate): Promise<number> {
  const port = await freePort();
  const main = require.resolve('azurite/dist/src/blob/main.js');
  const args = [
    '--blobPort',
    String(port),
    '--location',
    folder,
    '--oauth',
    'basic',
    '--cert',
    certificate.path,
    '--key',
    certificate.path.replace(/pem$/, 'key'),
  ];
  const azurite = new Child(
    process.execPath,
    [main, ...args, '--disableTelemetry', '--skipApiVersionCheck', '--silent'],
    { PATH: process.env.PATH ?? '', HOME: folder },
  );
  t.after(() => azurite.kill());
  await until('Azurite answers', () =>
    fetchBytes(`https://127.0.0.1:${port}/`, certificate).then(() => true),
  );
  return port;
}

async function fetchBytes(url: string, { cert }: Certificate): Promise<Buffer> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) =>
    get(url, { ca: cert, agent: false }, resolve).on('error', reject),
  );
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-identity-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('workload identity in a sovereign cloud, sign-in and store through the proxy: no key anywhere', async (t) => {
  const folder = folderOf(t);
  const certificate = makeCertificate(folder, 'cloud', [LOGIN, STORE]);
  const login = await loginServer(t, certificate, LOGIN, token);
  const port = await tokenStore(t, folder, certificate);
  const proxy = await HttpProxy.start({
    login: 'me:proxy-password',
    hosts: { [LOGIN]: login.port, [STORE]: port },
  });
  t.after(() => proxy.end());
  writeFileSync(join(folder, 'token'), 'the-projected-token');
  const world = await World.make(t, { start: ['api', 'scanner'] });
  const uploader = await world.start('uploader', {
    APP_AZURE_ACCOUNT_URL: `https://${STORE}`,
    APP_AZURE_CREDENTIAL: 'identity',
    APP_AZURE_ACCOUNT_NAME: '',
    APP_AZURE_ACCOUNT_KEY: '',
    APP_AZURE_CREATE_CONTAINER: 'true',
    AZURE_AUTHORITY_HOST: `https://${LOGIN}/`,
    AZURE_TENANT_ID: TENANT,
    AZURE_CLIENT_ID: CLIENT,
    AZURE_FEDERATED_TOKEN_FILE: join(folder, 'token'),
    AZURE_TOKEN_CREDENTIALS: 'WorkloadIdentityCredential',
    NODE_EXTRA_CA_CERTS: certificate.path,
    HTTPS_PROXY: proxy.url,
    AZURE_LOG_LEVEL: 'verbose',
  });
  await uploader.ready();
  const session = await world.startSession('identity');
  const md5 = world.drop('large.bin', 9 * 1024 * 1024);
  await world.done(1);

  const blobName = `${session}/large.bin`;
  const rights = {
    containerName: world.container,
    blobName,
    permissions: BlobSASPermissions.parse('r'),
    expiresOn: new Date(Date.now() + 3_600_000),
  };
  const sas = generateBlobSASQueryParameters(
    rights,
    new StorageSharedKeyCredential(ACCOUNT.name, ACCOUNT.key),
  );
  const stored = await fetchBytes(
    `https://127.0.0.1:${port}/${ACCOUNT.name}/${world.container}/${blobName}?${sas.toString()}`,
    certificate,
  );
  assert.equal(createHash('md5').update(stored).digest('hex'), md5);

  assert.deepEqual([...new Set(proxy.asked)].sort(), [`${STORE}:443`, `${LOGIN}:443`].sort());
  const [form] = login.forms;
  assert.equal(form?.get('client_id'), CLIENT);
  assert.equal(form?.get('client_assertion'), 'the-projected-token');
  assert.match(form?.get('scope') ?? '', /^https:\/\/storage\.azure\.com\/\.default/);
  const line = uploader.logs.find(({ msg }) => msg === 'the store lets us in');
  const through = `through http://127.0.0.1:${proxy.port}`;
  assert.equal(line?.way, 'identity');
  assert.deepEqual(line?.routes, { [`https://${STORE}`]: through, [`https://${LOGIN}`]: through });
  // the SDK's own log, which somebody may ask for, holds none either
  assert.match(uploader.stderr, /azure:core-rest-pipeline:info Request/);
  assert.doesNotMatch(uploader.stdout + uploader.stderr, /the-projected-token|eyJ|proxy-password/);
});

test('an identity that does not answer is passed over for a key, and that is said', async (t) => {
  const folder = folderOf(t);
  const world = await World.make(t, { start: ['api', 'scanner'] });
  const certificate = makeCertificate(folder, 'store');
  const store = await TlsProxy.start(world.azurite.port, certificate);
  t.after(() => store.end());
  const proxy = await HttpProxy.start();
  t.after(() => proxy.end());
  proxy.silent = true;
  writeFileSync(join(folder, 'token'), 'the-projected-token');
  const uploader = await world.start('uploader', {
    APP_AZURE_ACCOUNT_URL: `https://127.0.0.1:${store.port}/${ACCOUNT.name}`,
    APP_AZURE_CREDENTIAL: 'auto',
    AZURE_AUTHORITY_HOST: `https://${LOGIN}/`,
    AZURE_TENANT_ID: TENANT,
    AZURE_CLIENT_ID: CLIENT,
    AZURE_FEDERATED_TOKEN_FILE: join(folder, 'token'),
    AZURE_TOKEN_CREDENTIALS: 'WorkloadIdentityCredential',
    NODE_EXTRA_CA_CERTS: certificate.path,
    HTTPS_PROXY: proxy.url,
    NO_PROXY: `127.0.0.1:${store.port}`,
  });
  await uploader.ready();
  const said =
    /the identity that the environment names .* did not pass, so this uploader signs in by account-key: no answer within 10 s/;
  assert.ok(
    uploader.logs.some(({ level, msg }) => level === 'warn' && said.test(String(msg))),
    uploader.stdout,
  );
  await until('problems say it', async () =>
    (await world.status()).problems.some((problem: string) => said.test(problem)),
  );
  const session = await world.startSession('key');
  const wanted = new Map([[`${session}/one`, world.drop('one', 1000)]]);
  await world.done(1);
  assert.deepEqual(await world.blobs(), wanted);
  seen(t, {
    fault: 'the sign-in of the identity does not answer',
    injected: 'a proxy that never answers a CONNECT; a key stands beside',
    promised: 'files go on by the key, and problems say so',
    files: 1,
  });
});
