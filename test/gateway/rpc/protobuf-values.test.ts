import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LuaError, type LuaValue } from '../../../src/gateway/plugin-port.js';
import { decodeArguments, encodeResult } from '../../../src/gateway/rpc/protobuf-values.js';
import { decodeMessage, encodeMessage } from '../../../src/protocol/protobuf/messages.js';
import { PROTOBUF_METHODS, type ProtobufMethod } from '../../../src/protocol/protobuf/methods.js';
import { readFixture } from './conversations.js';

interface RecordedCall {
  method: string;
  note?: string;
  argsHex?: string;
  replyHex?: string;
  reply?: unknown;
  argsTruncated?: unknown;
  replyTruncated?: unknown;
}

const recorded = readFixture<RecordedCall[]>('protobuf', 'methods');

function methodOf(name: string): ProtobufMethod {
  const method = PROTOBUF_METHODS.get(name);
  assert.ok(method, name);
  return method;
}

function argsOf(name: string, message: unknown): LuaValue[] {
  const method = methodOf(name);
  return decodeArguments(method, encodeMessage(method.args, message));
}

/** The recorder's own decoding of a reply, as the value that the Lua function must have returned. */
function luaValue(reply: unknown): LuaValue {
  if (typeof reply === 'string') return Buffer.from(reply).toString('latin1');
  if (typeof reply !== 'object' || reply === null) return reply as LuaValue;
  if (Array.isArray(reply)) return reply.map(luaValue);
  const value = reply as Record<string, unknown>;
  if ('nullValue' in value) return undefined;
  if ('stringValue' in value) return luaValue(value.stringValue);
  if ('numberValue' in value) return value.numberValue as number;
  if ('boolValue' in value) return value.boolValue as boolean;
  if ('latin1' in value) return value.latin1 as string;
  if ('listValue' in value) return luaValue((value.listValue as { values?: unknown[] }).values ?? []);
  if ('structValue' in value) return luaValue((value.structValue as { fields?: unknown }).fields ?? {});
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, luaValue(member)]));
}

/** What the Lua function returned for a recorded reply, by the shape of its result message. */
function resultOf({ result, name }: ProtobufMethod, reply: unknown): LuaValue {
  const value = (luaValue(reply) ?? {}) as Record<string, LuaValue>;
  if (result === 'Value') return luaValue(reply);
  if (result === 'Struct') return value.fields ?? {};
  if (name === 'kong.request.get_uri_captures') {
    const unnamed = (value.unnamed ?? []) as LuaValue[];
    return {
      unnamed: { '0': 'whole', ...Object.fromEntries(unnamed.map((v, i) => [i + 1, v])) },
      named: value.named ?? {},
    };
  }
  if (Object.keys(value).length === 0) return undefined;
  return 'v' in value ? value.v : value;
}

test('every recorded reply is encoded from the value behind it', () => {
  let compared = 0;
  for (const { method: name, replyHex, reply, replyTruncated, note } of recorded) {
    const method = PROTOBUF_METHODS.get(name);
    if (!method || typeof replyHex !== 'string' || replyTruncated) continue;
    if (typeof reply === 'object' && reply !== null && 'decodeError' in reply) continue; // not UTF-8: tested below
    const bytes = encodeResult(method, resultOf(method, reply));
    assert.deepEqual(
      decodeMessage(method.result, bytes),
      decodeMessage(method.result, Buffer.from(replyHex, 'hex')),
      `${name} ${note ?? ''}`,
    );
    compared += 1;
  }
  assert.ok(compared > 150, `only ${compared} replies were compared`);
});

test('every recorded argument message decodes', () => {
  for (const { method: name, argsHex, argsTruncated } of recorded) {
    const method = PROTOBUF_METHODS.get(name);
    if (!method || argsHex === undefined || argsTruncated) continue;
    const args = decodeArguments(method, Buffer.from(argsHex, 'hex'));
    assert.ok(method.args === 'ListValue' || args.length <= 3, name);
  }
});

test('wire types and bytes that are not those of the message fail, are skipped or end it, as in Kong', () => {
  const decode = (name: string, hex: string) => decodeArguments(methodOf(name), Buffer.from(hex, 'hex'));
  const fails: readonly [what: string, name: string, hex: string][] = [
    ['a number for a text', 'kong.request.get_header', '0801'],
    ['a text for a number', 'kong.request.get_headers', '0a0131'],
    ['a double for a number', 'kong.request.get_headers', '090000000000000000'],
    ['a text for a number inside a Value', 'kong.ctx.shared.set', '0a01781203120131'],
    ['a number for the text of a Value', 'kong.ctx.shared.set', '0a017812021801'],
    ['a number for an entry of a Struct', 'kong.response.set_headers', '0801'],
    ['a number for a key of a Struct', 'kong.response.set_headers', '0a020801'],
    ['a number for an element of a list', 'kong.log.err', '0801'],
    ['a known field that ends too early', 'kong.request.get_header', '0a0561'],
  ];
  for (const [what, name, hex] of fails) assert.throws(() => decode(name, hex), what);
  const passes: readonly [what: string, name: string, hex: string, args: LuaValue[]][] = [
    ['an unknown field', 'kong.request.get_header', '0a017812026869', ['x']],
    ['an unknown field that ends too early', 'kong.request.get_header', '0a017812056869', ['x']],
    ['bytes that are no tag', 'kong.request.get_header', '0a0178ffffffffffffffffffff', ['x']],
    ['an unknown field of a Value', 'kong.ctx.shared.set', '0a017812053a001a0179', ['x', 'y']],
  ];
  for (const [what, name, hex, args] of passes) assert.deepEqual(decode(name, hex), args, what);
});

test('arguments are positional', () => {
  assert.deepEqual(argsOf('kong.request.get_method', {}), []);
  assert.deepEqual(argsOf('kong.request.get_headers', { v: 100 }), [100]);
  assert.deepEqual(argsOf('kong.request.get_headers', {}), [0]);
  assert.deepEqual(argsOf('kong.service.set_target', { host: 'a', port: 80 }), ['a', 80]);
  assert.deepEqual(argsOf('kong.client.load_consumer', { id: 'x', by_username: true }), ['x', true]);
  assert.deepEqual(argsOf('kong.response.set_header', { k: 'A', v: ['1', 2, true] }), ['A', ['1', 2, true]]);
  assert.deepEqual(argsOf('kong.response.set_headers', { A: '1' }), [{ A: '1' }]);
  assert.deepEqual(argsOf('kong.log.err', ['a', 1, true, null]), ['a', 1, true, 'NULL_VALUE']);
  assert.deepEqual(argsOf('kong.response.exit', { status: 403 }), [403, '', undefined]);
  assert.deepEqual(
    argsOf('kong.response.exit', { status: 403, body: Buffer.from('é'), headers: { A: 'b' } }),
    [403, 'Ã©', { A: 'b' }],
  );
  assert.deepEqual(argsOf('kong.client.authenticate', { consumer: { id: 'c' } }), [{ id: 'c' }, undefined]);
});

test('false, null and an absent value become what they become in Kong', () => {
  assert.deepEqual(argsOf('kong.ctx.shared.set', { k: 'x', v: false }), ['x', undefined]);
  assert.deepEqual(argsOf('kong.ctx.shared.set', { k: 'x', v: null }), ['x', 'NULL_VALUE']);
  assert.deepEqual(argsOf('kong.ctx.shared.set', { k: 'x' }), ['x', undefined]);
  assert.equal(encodeResult(methodOf('kong.ctx.shared.get'), undefined).toString('hex'), '0801');
  assert.equal(encodeResult(methodOf('kong.ctx.shared.get'), []).toString('hex'), '2a00');
});

test('bytes that are no UTF-8 pass unchanged both ways', () => {
  const raw = Buffer.from([0xc3, 0xa9, 0xff]);
  const text = raw.toString('latin1');
  assert.deepEqual(argsOf('kong.request.get_query_arg', { v: raw }), [text]);
  assert.deepEqual(
    encodeResult(methodOf('kong.request.get_query_arg'), text),
    Buffer.from([0x0a, 3, ...raw]),
  );
  const headers = encodeResult(methodOf('kong.request.get_headers'), { 'x-latin': text });
  assert.ok(headers.includes(raw));
  const named = encodeResult(methodOf('kong.request.get_query'), {
    [Buffer.from('é').toString('latin1')]: '1',
  });
  assert.deepEqual(decodeMessage('Struct', named), { é: '1' });
});

test('an argument without a value cannot be sent as a String', () => {
  assert.throws(() => encodeResult(methodOf('kong.request.get_query_arg'), true), LuaError);
  assert.deepEqual(decodeMessage('Struct', encodeResult(methodOf('kong.request.get_query'), { a: true })), {
    a: true,
  });
});

test('entities leave out what their message cannot list', () => {
  const route = { id: 'r', paths: ['/'], headers: {}, tags: [], service: { id: 's' }, strip_path: false };
  const sent = decodeMessage('Route', encodeResult(methodOf('kong.router.get_route'), route)) as typeof route;
  assert.deepEqual(sent.paths, ['/']);
  assert.deepEqual(sent.headers, []);
  assert.deepEqual(sent.service, { id: 's' });
});
