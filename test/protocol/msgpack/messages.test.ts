import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeMessage,
  encodeNotification,
  encodeRequest,
  encodeResponse,
  parseMessage,
} from '../../../src/protocol/msgpack/messages.js';

test('requests, responses and notifications round trip', () => {
  assert.deepEqual(decodeMessage(encodeRequest(7, 'plugin.GetStatus', [])), {
    type: 'request',
    id: 7,
    method: 'plugin.GetStatus',
    args: [],
  });
  assert.deepEqual(decodeMessage(encodeResponse(7, null, { Data: 'ret', EventId: 1 })), {
    type: 'response',
    id: 7,
    error: null,
    result: { Data: 'ret', EventId: 1 },
  });
  assert.deepEqual(decodeMessage(encodeResponse(8, 'no plugin instance #1', null)), {
    type: 'response',
    id: 8,
    error: 'no plugin instance #1',
    result: null,
  });
  assert.deepEqual(decodeMessage(encodeNotification('serverPid', 1001)), {
    type: 'notification',
    label: 'serverPid',
    args: 1001,
  });
});

test('a message of the wrong shape is refused and the fault named', () => {
  const faults: [unknown, RegExp][] = [
    [1, /message must be an array, not 1/],
    [{ a: 1 }, /message must be an array, not a map/],
    [[], /message type must be 0, 1 or 2, not undefined/],
    [[3, 1, 'm', []], /message type must be 0, 1 or 2, not 3/],
    [['0', 1, 'm', []], /message type must be 0, 1 or 2, not a string/],
    [[0, 1, 'plugin.GetStatus'], /request has 3 elements instead of 4/],
    [[0, 1, 'm', [], 5], /request has 5 elements instead of 4/],
    [[0, -1, 'm', []], /request id must be a whole number, not -1/],
    [[0, 1.5, 'm', []], /request id must be a whole number, not 1.5/],
    [[0, null, 'm', []], /request id must be a whole number, not null/],
    [[0, 1, Buffer.from('m'), []], /request method must be a string, not binary/],
    [[0, 1, 'm', { a: 1 }], /args of request m must be an array, not a map/],
    [[1, 1, null], /response has 3 elements instead of 4/],
    [[1, '1', null, 1], /response id must be a whole number, not a string/],
    [[1, 1, ['x'], null], /response error must be nil or a string, not an array/],
    [[2, 'label'], /notification has 2 elements instead of 3/],
    [[2, 5, 1], /notification label must be a string, not 5/],
  ];
  for (const [value, message] of faults) {
    assert.throws(() => parseMessage(value), { name: 'ProtocolError', code: 'MALFORMED_MESSAGE', message });
  }
});

test('what a fault quotes is never text of the message', () => {
  assert.throws(
    () => parseMessage([2, ['secret'], 1]),
    (error: Error) => !error.message.includes('secret'),
  );
  assert.throws(
    () => parseMessage(['secret', 1]),
    (error: Error) => !error.message.includes('secret'),
  );
});
