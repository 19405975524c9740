import assert from 'node:assert/strict';
import { test } from '../support/index.js';
import { command, IMAGE, tryCommand } from './command.js';

const BASE = 'node:24-trixie-slim';
const MOST = 130_000_000;

const inspect = (image: string): any => JSON.parse(command('docker', ['image', 'inspect', image]))[0];
const inside = (...args: string[]) =>
  tryCommand('docker', ['run', '--rm', '--read-only', '--network', 'none', '--cap-drop', 'ALL', ...args]);

test('the image adds little to its base, and is described', () => {
  const [image, base] = [inspect(IMAGE), inspect(BASE)];
  assert.ok(image.Size - base.Size <= MOST, `it adds ${image.Size - base.Size} bytes`);
  assert.equal(image.Config.User, '10001:10001');
  assert.deepEqual(image.Config.Entrypoint, ['tini', '--']);
  assert.ok(image.Config.Healthcheck);
  assert.equal(image.Config.Labels['org.opencontainers.image.title'], 'sluice');
  assert.ok(image.Config.Env.includes('APP_BIND=0.0.0.0'));
});

test('the image holds no compiler, map, typing or reading of its dependencies', () => {
  const { stdout } = inside(
    IMAGE,
    'find',
    '/app',
    '(',
    '-name',
    '*.map',
    '-o',
    '-name',
    '*.d.ts',
    '-o',
    '-iname',
    'readme*',
    '-o',
    '-name',
    'typescript',
    '-o',
    '-name',
    'azurite',
    ')',
  );
  assert.equal(stdout.trim(), '');
});

test('every process starts from the read-only image without root, and says what it lacks', () => {
  assert.equal(inside(IMAGE, 'sluice', '--version').stdout.trim(), '0.2.0');
  assert.equal(inside(IMAGE, 'id', '-u').stdout.trim(), '10001');
  const api = inside(IMAGE);
  assert.equal(api.code, 1);
  assert.match(api.stdout, /APP_API_TOKEN/);
  const uploader = inside(IMAGE, 'node', 'dist/apps/uploader/main.js');
  assert.equal(uploader.code, 1);
  assert.match(uploader.stdout, /APP_AZURE_ACCOUNT_URL/);
});
