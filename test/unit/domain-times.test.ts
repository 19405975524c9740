import assert from 'node:assert/strict';
import fc from 'fast-check';
import { floorDivide, formatTimeMs, formatTimeNs, millisecondsOf } from '@app/shared/domain';
import { test } from '../support/index.js';

test("a file's time is rounded down on both sides of 1970", () => {
  assert.equal(formatTimeNs(-1_500_000_000n), '1969-12-31T23:59:58.500000000Z');
  assert.equal(formatTimeNs(-1n), '1969-12-31T23:59:59.999999999Z');
  assert.equal(formatTimeNs(0n), '1970-01-01T00:00:00.000000000Z');
  assert.equal(millisecondsOf(-1n), -1);
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
      fc.bigInt({ min: 1n, max: 10n ** 10n }),
      (a, b) => {
        const quotient = floorDivide(a, b);
        assert.ok(quotient * b <= a && a < (quotient + 1n) * b);
      },
    ),
  );
});

test('a time outside of the years 0 to 9999 has no text, and one within has its own', () => {
  const beyond = [253_402_300_800_000, -62_167_219_200_001, 8.7e15, -8.7e15, 9.3e21];
  for (const ms of beyond) {
    assert.equal(formatTimeMs(ms), null);
    assert.equal(formatTimeNs(BigInt(ms) * 1_000_000n), null);
  }
  assert.equal(formatTimeMs(null), null);
  fc.assert(
    fc.property(
      fc.bigInt({ min: -62_167_219_200n, max: 253_402_300_799n }),
      fc.nat(999_999_999),
      (s, fraction) => {
        const ns = s * 1_000_000_000n + BigInt(fraction);
        const text = formatTimeNs(ns) ?? '';
        assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
        assert.equal(Date.parse(`${text.slice(0, 19)}Z`), Number(s) * 1000);
        assert.equal(Number(text.slice(20, 29)), fraction);
      },
    ),
  );
});
