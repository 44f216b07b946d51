import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isFresh, parseTime } from '../../../plugins/customer-verification/signed-time.js';

const moment = Date.UTC(2026, 10, 23, 10, 0, 0);

describe('parseTime', () => {
  const readable: [string, number][] = [
    [String(moment / 1000), moment],
    [`${moment / 1000}.25`, moment + 250],
    [String(moment + 7), moment + 7],
    ['0', 0],
    ['99999999999', 99_999_999_999_000],
    ['100000000000', 100_000_000_000],
    ['2026-11-23T10:00:00Z', moment],
    ['2026-11-23t10:00:00z', moment],
    ['2026-11-23 10:00:00Z', moment],
    ['2026-11-23T10:00Z', moment],
    ['2026-11-23T12:00:00+02:00', moment],
    ['2026-11-23T12:00:00+0200', moment],
    ['2026-11-23T04:30:00-05:30', moment],
    ['2026-11-23T10:00:00.5Z', moment + 500],
    ['2026-11-23T10:00:00,123456789Z', moment + 123],
    ['Mon, 23 Nov 2026 10:00:00 GMT', moment],
  ];
  for (const [text, time] of readable) {
    it(`reads ${text}`, () => assert.equal(parseTime(text), time));
  }

  const unreadable = [
    '',
    'now',
    '-1',
    '+1700000000',
    '1e12',
    '0x10',
    ' 1700000000',
    '1700000000\n',
    '1700000000.',
    '1'.repeat(16),
    '2026-11-23',
    '2026-11-23T10:00:00',
    '2026-13-23T10:00:00Z',
    '2026-11-23T25:00:00Z',
    '2026-11-23T10:00:00ZZ',
    'Mon, 23 Nov 2026 10:00:00',
    'Mon, 23 Nov 2026 10:00:00 CET',
    'Monday, 23-Nov-26 10:00:00 GMT',
  ];
  for (const text of unreadable) {
    it(`does not read ${JSON.stringify(text)}`, () => assert.equal(parseTime(text), undefined));
  }
});

describe('isFresh', () => {
  it('takes the skew in both directions, its end included', () => {
    for (const [offset, fresh] of [
      [0, true],
      [30_000, true],
      [-30_000, true],
      [30_001, false],
      [-30_001, false],
    ] as const) {
      assert.equal(isFresh(moment + offset, moment, 30_000), fresh, String(offset));
    }
  });
});
