import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { quoted, RateLimiter } from '../../src/api/reports.js';

describe('RateLimiter', () => {
  it('lets one through per interval and subject, and counts the others', () => {
    let now = 0;
    const limiter = new RateLimiter(10_000, () => now);
    assert.equal(limiter.admit('a'), 0);
    for (now = 0; now < 10_000; now += 10) assert.equal(limiter.admit('a'), undefined);
    assert.equal(limiter.admit('b'), 0);
    assert.equal(limiter.admit('a'), 1000);
    now += 10_000;
    assert.equal(limiter.admit('a'), 0);
  });
});

describe('quoted', () => {
  it('leaves nothing that could forge a log line', () => {
    assert.equal(quoted('plain-id'), '"plain-id"');
    assert.equal(quoted('a\r\n[error] "b" \\ \u001b[31mé'), '"a??[error] ?b? ? ?[31m?"');
    assert.equal(quoted('x'.repeat(100)), `"${'x'.repeat(64)}…"`);
  });
});
