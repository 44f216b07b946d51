import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SharedResources } from '../../src/api/shared-resources.js';

describe('SharedResources', () => {
  it('makes a resource for the first user and disposes of it after the last', () => {
    const disposed: string[] = [];
    const resources = new SharedResources<string>((value) => disposed.push(value));
    let made = 0;
    const acquire = (key: string) =>
      resources.acquire(key, () => {
        made += 1;
        return `${key} ${made}`;
      });
    const first = acquire('a');
    const second = acquire('a');
    const other = acquire('b');
    assert.equal(first.value, second.value);
    assert.equal(made, 2);
    first.release();
    first.release();
    assert.deepEqual(disposed, []);
    second.release();
    assert.deepEqual(disposed, ['a 1']);
    assert.equal(acquire('a').value, 'a 3');
    assert.equal(resources.size, 2);
    other.release();
    assert.deepEqual(disposed, ['a 1', 'b 2']);
  });

  it('keeps nothing of a resource that could not be made', () => {
    const resources = new SharedResources<string>(() => assert.fail('nothing to dispose of'));
    assert.throws(() =>
      resources.acquire('a', () => {
        throw new Error('no');
      }),
    );
    assert.equal(resources.size, 0);
  });
});
