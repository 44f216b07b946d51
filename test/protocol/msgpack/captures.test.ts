import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decode } from '../../../src/protocol/msgpack/decode.js';
import { encode } from '../../../src/protocol/msgpack/encode.js';
import { decodeMessage, encodeResponse, parseMessage } from '../../../src/protocol/msgpack/messages.js';
import { MessageReader } from '../../../src/protocol/msgpack/reader.js';

interface MethodCapture {
  method: string;
  args: unknown;
  callDataHex: string;
  stepMethod?: string;
  stepRequestHex?: string;
  reply?: unknown;
}

interface Frame {
  dir?: string;
  what?: string;
  wireHex?: string;
  wireTruncated?: unknown;
  decoded?: unknown;
}

function fixture<T>(name: string): T {
  const url = new URL(`../../fixtures/kong-captures/msgpack/${name}`, import.meta.url);
  return JSON.parse(readFileSync(url, 'utf8')) as T;
}

/** Undoes the fixtures' spelling of what JSON cannot hold: bytes as objects, integer keys with a mark. */
function revive(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value !== 'object' || value === null) return value;
  const spelled = value as { strHex?: string; bytesHex?: string; latin1?: string };
  if (spelled.strHex !== undefined) return spelled.latin1;
  if (spelled.bytesHex !== undefined) return Buffer.from(spelled.bytesHex, 'hex');
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key.replace('(int) ', ''), revive(member)]),
  );
}

const methods = fixture<MethodCapture[]>('methods.json');
const conversations = fixture<{ name: string; frames?: Frame[] }[]>('conversations.json');
const frames = conversations.flatMap(({ name, frames }) =>
  (frames ?? []).map((frame) => ({ name, ...frame })),
);

test('every recorded PDK call encodes to the bytes that were sent to Kong', () => {
  let calls = 0;
  for (const { method, callDataHex } of methods) {
    const data = decode(Buffer.from(callDataHex, 'hex')) as { Method: string };
    assert.equal(data.Method, method);
    assert.equal(encode(data).toString('hex'), callDataHex, method);
    calls++;
  }
  assert.ok(calls > 150, `${calls} calls`);
});

test('every recorded Step decodes to the reply Kong gave', () => {
  let steps = 0;
  for (const { method, stepMethod, stepRequestHex, reply } of methods) {
    if (stepRequestHex === undefined) continue;
    const message = decodeMessage(Buffer.from(stepRequestHex, 'hex'));
    assert.equal(message.type, 'request');
    assert.ok(message.type === 'request');
    assert.equal(message.method, stepMethod);
    const [step] = message.args as [{ Data?: unknown; EventId: unknown }];
    assert.equal(typeof step.EventId, 'number');
    if (reply === '(no Data key: nil)') assert.equal('Data' in step, false, method);
    else assert.deepEqual(step.Data, revive(reply), `${method}: ${stepRequestHex}`);
    steps++;
  }
  assert.ok(steps > 100, `${steps} steps`);
});

test('every recorded message survives decoding and encoding byte for byte', () => {
  // Two servers wrote longer forms than needed to see whether Kong takes them; one sent no MessagePack.
  const others = new Set(['str8_keys', 'bin_keys', 'bad_bytes']);
  let messages = 0;
  for (const { name, dir, wireHex, wireTruncated, what } of frames) {
    if (wireHex === undefined || wireTruncated) continue;
    if (others.has(name) && dir === 'server>kong') continue;
    const again: Buffer[] = [];
    new MessageReader((message) => again.push(encode(message))).push(Buffer.from(wireHex, 'hex'));
    assert.equal(Buffer.concat(again).toString('hex'), wireHex, `${name}: ${what}`);
    messages += again.length;
  }
  assert.ok(messages > 300, `${messages} messages`);
});

test('longer forms than needed and binary keys are read like the short ones', () => {
  for (const name of ['str8_keys', 'bin_keys']) {
    const answers = frames.filter((frame) => frame.name === name && frame.dir === 'server>kong');
    const ret = answers.map(({ wireHex }) => decodeMessage(Buffer.from(wireHex ?? '', 'hex')));
    const [response] = ret;
    assert.ok(response?.type === 'response');
    const result = response.result as { Data: unknown; EventId: unknown };
    assert.equal(String(result.Data), 'ret', name);
    assert.equal(result.EventId, 0, name);
  }
});

test('every request and plain response of the recordings is rebuilt by the message encoders', () => {
  let responses = 0;
  for (const { name, what, wireHex, wireTruncated } of frames) {
    if (what !== 'response' || wireHex === undefined || wireTruncated) continue;
    const value = decode(Buffer.from(wireHex, 'hex'));
    if (!Array.isArray(value) || (value[2] !== null && typeof value[2] !== 'string')) continue;
    const message = parseMessage(value);
    assert.ok(message.type === 'response');
    assert.equal(encodeResponse(message.id, message.error, message.result).toString('hex'), wireHex, name);
    responses++;
  }
  assert.ok(responses > 80, `${responses} responses`);
});

test('a whole recorded conversation reads the same split at every byte and merged', () => {
  const sent = frames.filter(
    ({ dir, wireHex, wireTruncated }) => dir === 'kong>server' && wireHex && !wireTruncated,
  );
  const expected = sent.map(({ wireHex }) => decode(Buffer.from(wireHex ?? '', 'hex')));
  const stream = Buffer.concat(sent.map(({ wireHex }) => Buffer.from(wireHex ?? '', 'hex')));
  for (const size of [1, 2, 3, 7, 64, 4096, stream.length]) {
    const got: unknown[] = [];
    const reader = new MessageReader((message) => got.push(message));
    for (let at = 0; at < stream.length; at += size) reader.push(stream.subarray(at, at + size));
    assert.deepEqual(got, expected, `pieces of ${size}`);
    assert.equal(reader.midMessage, false);
  }
});
