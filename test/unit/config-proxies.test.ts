import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ConfigError, parseConfig, parseNoProxy, proxyOf, type Proxies } from '@app/shared/config';
import { test } from '../support/index.js';

const PROXY = 'http://me:secret@proxy.example:3128';
const proxied = (url: string, noProxy: string): boolean => {
  const proxies: Proxies = { https: PROXY, http: PROXY, except: parseNoProxy(noProxy) };
  return proxyOf(new URL(url), proxies) !== null;
};

test('NO_PROXY by host, suffix, address, range, port and star', () => {
  for (const [noProxy, direct, through] of [
    ['', [], ['https://a.example', 'http://127.0.0.1:10000/x', 'https://localhost']],
    ['*', ['https://a.example', 'http://[::1]:8080', 'https://10.1.2.3'], []],
    ['a.example', ['https://a.example', 'https://x.A.example', 'https://a.example.'], ['https://xa.example']],
    ['.a.example', ['https://a.example', 'https://x.a.example'], ['https://ba.example', 'https://example']],
    ['*.a.example', ['https://x.y.a.example', 'https://a.example'], ['https://xa.example']],
    [
      'A.Example:443',
      ['https://a.example', 'http://a.example:443'],
      ['https://a.example:8443', 'http://a.example'],
    ],
    ['*:8443', ['https://a.example:8443'], ['https://a.example']],
    ['10.0.0.0/8', ['https://10.255.1.2', 'http://10.0.0.1:9'], ['https://11.0.0.1', 'https://10.example']],
    ['10.1.0.0/16:443', ['https://10.1.9.9'], ['https://10.1.9.9:444', 'https://10.2.0.1']],
    ['10.0.0.1', ['https://10.0.0.1:99', 'https://0xa.0.0.1'], ['https://10.0.0.10']],
    ['fd00::/8', ['https://[fd12:3456::1]'], ['https://[fe00::1]', 'https://fd.example']],
    ['::1', ['https://[::1]', 'https://[0:0:0:0:0:0:0:1]:8080'], ['https://[::2]']],
    ['[::1]:8080', ['https://[::1]:8080'], ['https://[::1]']],
    [
      ' a.example ,\tb.example  c.example,',
      ['https://a.example', 'https://b.example', 'https://c.example'],
      ['https://d.example'],
    ],
    ['0.0.0.0/0', ['https://1.2.3.4'], ['https://a.example']],
  ] as const) {
    for (const url of direct) assert.equal(proxied(url, noProxy), false, `${url} with NO_PROXY=${noProxy}`);
    for (const url of through) assert.equal(proxied(url, noProxy), true, `${url} with NO_PROXY=${noProxy}`);
  }
});

test('addresses of the own link never go through a proxy', () => {
  assert.equal(proxied('http://169.254.169.254/metadata/identity/oauth2/token', ''), false);
  assert.equal(proxied('http://[fe80::1]/', ''), false);
  assert.equal(proxied('http://169.255.0.1/', ''), true);
});

test('each scheme has its own proxy, and lower case wins', () => {
  const of = (env: Record<string, string>, url: string) =>
    proxyOf(new URL(url), parseConfig('scanner', env).proxies);
  const env = { HTTPS_PROXY: 'http://one:1', HTTP_PROXY: 'two:2' };
  assert.equal(of(env, 'https://a.example')?.host, 'one:1');
  assert.equal(of(env, 'http://a.example')?.href, 'http://two:2/');
  assert.equal(of({ HTTPS_PROXY: 'http://one:1' }, 'http://a.example'), null);
  assert.equal(of({ ...env, https_proxy: 'https://three:3' }, 'https://a.example')?.href, 'https://three:3/');
  assert.equal(of({ ...env, https_proxy: '' }, 'https://a.example')?.host, 'one:1');
  assert.equal(of({ ...env, no_proxy: 'a.example' }, 'https://a.example'), null);
});

test('a proxy that cannot be meant is a fault, and its password is not told', () => {
  for (const [name, value] of [
    ['HTTPS_PROXY', 'socks5://me:secret@proxy:1080'],
    ['https_proxy', 'http://me:secret@'],
    ['NO_PROXY', '10.0.0.0/33'],
    ['NO_PROXY', 'a.example,10.0.0/8'],
    ['no_proxy', 'https://a.example'],
  ] as const)
    assert.throws(
      () => parseConfig('scanner', { [name]: value }),
      (error: unknown) =>
        error instanceof ConfigError &&
        error.faults.length === 1 &&
        error.faults[0]!.startsWith(name.toUpperCase()) &&
        !error.message.includes('secret'),
      name,
    );
});

const label = fc
  .stringMatching(/^[a-z]([a-z0-9-]{0,8}[a-z0-9])?$/)
  .filter((text) => !text.startsWith('xn--'));
const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
const octet = fc.integer({ min: 0, max: 255 });
const address = fc.tuple(fc.integer({ min: 1, max: 168 }), octet, octet, octet);

test('a host is excepted exactly where it, or a parent domain, is named', () => {
  fc.assert(
    fc.property(host, host, fc.constantFrom('', '.', '*.'), (asked, named, mark) => {
      const expected = asked === named || `.${asked}`.endsWith(`.${named}`);
      assert.equal(proxied(`https://${asked}/`, `${mark}${named}`), !expected);
      assert.equal(proxied(`https://deep.${named}/`, `${mark}${named}`), false);
    }),
  );
});

test('a range holds exactly the addresses that share its first bits', () => {
  const bitsOf = (numbers: readonly number[]) =>
    numbers.map((number) => number.toString(2).padStart(8, '0')).join('');
  fc.assert(
    fc.property(address, address, fc.integer({ min: 0, max: 32 }), (asked, base, prefix) => {
      const expected = bitsOf(asked).slice(0, prefix) === bitsOf(base).slice(0, prefix);
      assert.equal(proxied(`https://${asked.join('.')}/`, `${base.join('.')}/${prefix}`), !expected);
    }),
  );
});

test('more entries never send more through the proxy, in any order', () => {
  const entry = fc.oneof(
    host,
    address.map((four) => four.join('.')),
    host.map((name) => `${name}:443`),
  );
  fc.assert(
    fc.property(host, fc.array(entry), fc.array(entry), (asked, some, more) => {
      const url = `https://${asked}/`;
      if (!proxied(url, some.join(','))) assert.equal(proxied(url, [...more, ...some].join(' , ')), false);
    }),
  );
});
