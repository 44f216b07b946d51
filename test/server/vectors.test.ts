import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PdkError } from '../../src/pdk/errors.js';
import { PDK_METHODS, PHASE_LETTERS } from '../../src/pdk/methods.js';
import type { Kong } from '../../src/pdk/types.js';
import type { Phase } from '../../src/plugin/definition.js';
import { EMPTY_FRAME, encodeFrame } from '../../src/protocol/protobuf/frames.js';
import { PROTOBUF_METHODS } from '../../src/protocol/protobuf/methods.js';
import type { MessageName } from '../../src/protocol/protobuf/schema.js';
import { captures, isWholeHex, type RecordedCall } from '../support/captures.js';
import type { KongPeer } from '../support/kong-peer.js';
import { pdkFunction } from '../support/pdk-function.js';
import { serving } from '../support/serving.js';

type Fields = Record<string, unknown>;

/** Functions of ProtoBuf:1 that the server does not use. */
const COMPOSED_INSTEAD = new Set(['kong.request.get_query_arg', 'kong.service.response.get_headers']);

/** What no plugin can make the server send. */
function whyNotExpressible({ method, args, note, argsHex, argsTruncated }: RecordedCall): string | undefined {
  if (!PROTOBUF_METHODS.has(method)) return 'not a function of ProtoBuf:1';
  if (COMPOSED_INSTEAD.has(method))
    return 'built from other functions: ProtoBuf:1 cannot carry what Kong answers';
  if (!isWholeHex(argsHex) || argsTruncated !== undefined) return 'the recording is cut';
  const { decodeError, k, v } = (args ?? {}) as Fields;
  if (/(set|add)_header$/.test(method)) {
    if (k === undefined) return 'refused at the call: a header without a name';
    if ((v as Fields | undefined)?.structValue !== undefined)
      return 'refused at the call: no header is an object';
  }
  if (decodeError !== undefined || note?.startsWith('unknown field')) return 'malformed on purpose';
  return undefined;
}

/** Where the server sends something else than the recording client did, on purpose. */
function deliberateDifference({ method, args }: RecordedCall): string | undefined {
  const { v, values } = (args ?? {}) as { v?: Fields; values?: Fields[] };
  if (method.startsWith('kong.log.') && values?.some((value) => value.listValue ?? value.structValue)) {
    return 'tables are written out: Kong would log their addresses';
  }
  if (method.startsWith('kong.log.') && values?.some((value) => value.nullValue !== undefined)) {
    return 'null is written out: Kong would log "NULL_VALUE"';
  }
  if (/_headers?$/.test(method) && JSON.stringify(args).includes('"boolValue":false')) {
    return 'false is sent as text: to Kong it would be nil, and the header missing';
  }
  if (/\.(set_header|add_header|set_ctx)$|ctx\.shared\.set$/.test(method) && v?.nullValue !== undefined) {
    return 'null is sent as an absent value: Kong would store the text "NULL_VALUE"';
  }
  return undefined;
}

/** A google.protobuf.Value as the recordings show it. */
function plain(value: unknown): unknown {
  const { stringValue, numberValue, boolValue, listValue, structValue } = (value ?? {}) as Fields;
  if (listValue !== undefined)
    return ((listValue as Fields).values as unknown[] | undefined)?.map(plain) ?? [];
  if (structValue !== undefined) return plainStruct(structValue);
  return stringValue ?? numberValue ?? boolValue ?? null;
}

function plainStruct(struct: unknown): Fields {
  const fields = ((struct ?? {}) as { fields?: Fields }).fields ?? {};
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, plain(value)]));
}

function bytes(value: unknown): Buffer | undefined {
  const { bytesHex } = (value ?? {}) as { bytesHex?: string };
  return bytesHex === undefined ? undefined : Buffer.from(bytesHex, 'hex');
}

/** The arguments with which a plugin gets the recorded message sent. */
function callArguments(type: MessageName, recorded: unknown): unknown[] {
  const args = (recorded ?? {}) as Fields;
  switch (type) {
    case 'Empty':
      return [];
    case 'String':
      return [args.v ?? ''];
    case 'Int':
      return [args.v ?? 0];
    case 'Bool':
      return [args.v ?? false];
    case 'ByteString':
      return [bytes(args.v)];
    case 'KV':
      return [args.k, args.v === undefined ? undefined : plain(args.v)];
    case 'ListValue':
      return ((args.values ?? []) as unknown[]).map(plain);
    case 'Struct':
      return [plainStruct(args)];
    case 'Target':
      return [args.host, args.port];
    case 'ConsumerSpec':
      return [args.id, args.by_username];
    case 'AuthenticateArgs':
      return [args.consumer, args.credential];
    case 'ExitArgs':
      return [args.status, bytes(args.body), args.headers && plainStruct(args.headers)];
    default:
      throw new Error(`no arguments for ${type}`);
  }
}

/** Functions for which nothing and an empty text are the same on the wire, and nothing is meant. */
const ABSENT = /\.(get_header|get_query_arg|get_var|get_tls1_version_str|get_protocol|get_source)$/;

/** The bytes that Kong answered; undefined when it did not answer, or the recording is cut. */
function replyBytes({ replyHex, replyTruncated }: RecordedCall): Buffer | undefined {
  return isWholeHex(replyHex) && replyTruncated === undefined ? Buffer.from(replyHex, 'hex') : undefined;
}

/** What the plugin is to get for a recorded reply; undefined where the recording does not show it whole. */
function expectedResult(record: RecordedCall, type: MessageName): { value: unknown } | undefined {
  const reply = (record.reply ?? {}) as Fields;
  if (typeof record.reply === 'string' || reply.decodeError !== undefined) return undefined;
  const isEmpty = record.replyHex === '';
  switch (type) {
    case 'String':
      return { value: reply.v ?? (ABSENT.test(record.method) ? undefined : '') };
    case 'Int':
    case 'Number':
      return { value: reply.v ?? 0 };
    case 'Bool':
      return { value: reply.v ?? false };
    case 'ByteString':
      return { value: bytes(reply.v) ?? Buffer.alloc(0) };
    case 'Value':
      return { value: plain(reply) ?? undefined };
    case 'Struct':
      return { value: plainStruct(reply) };
    case 'RawBodyResult':
      return { value: bytes(reply.content) };
    case 'UriCapturesResult': {
      const texts = Object.entries((reply.named ?? {}) as Fields).map(([name, one]) => [
        name,
        `${bytes(one)}`,
      ]);
      const unnamed = ((reply.unnamed ?? []) as unknown[]).map((one) => `${bytes(one)}`);
      return { value: { unnamed, named: Object.fromEntries(texts) } };
    }
    case 'Route':
      return { value: isEmpty ? undefined : { strip_path: false, preserve_host: false, ...reply } };
    case 'MemoryStats':
      return { value: reply };
    default:
      return { value: isEmpty ? undefined : reply };
  }
}

/** Plays Kong for one call; the bytes of its arguments. */
async function answerOneCall(peer: KongPeer, record: RecordedCall): Promise<string | undefined> {
  assert.equal((await peer.frame())?.toString(), record.method);
  const argsHex = (await peer.frame())?.toString('hex');
  const reply = replyBytes(record);
  if (reply === undefined) peer.close();
  else peer.socket.write(encodeFrame(reply));
  return argsHex;
}

test('every recorded call is sent byte for byte, and its recorded reply understood', async (t) => {
  let act: (kong: Kong) => unknown = () => {};
  class Plugin {
    access(kong: Kong) {
      return act(kong);
    }
    response(kong: Kong) {
      return act(kong);
    }
    log(kong: Kong) {
      return act(kong);
    }
  }
  const server = await serving(t, { plugin: Plugin });
  let peer = server.peer();
  const instance_id = (await peer.start('plugin')) as number;
  const counts = { sent: 0, understood: 0, unanswered: 0, differ: 0, wrongPhase: 0 };
  const methods = new Set<string>();

  for (const record of captures<RecordedCall[]>('protobuf/methods.json')) {
    if (whyNotExpressible(record) !== undefined) continue;
    const { method, argsHex, phase } = record;
    const what = `${method} ${JSON.stringify(record.args)} ${record.note ?? ''}`;
    const messages = PROTOBUF_METHODS.get(method) as { args: MessageName; result: MessageName };
    const { kind, phases = '' } = PDK_METHODS.find(({ wire }) => wire === method) ?? {};
    if (kind !== 'exit' && !phases.includes(PHASE_LETTERS[phase as Phase])) {
      // Refused at the call: Kong performed none of them.
      assert.equal(replyBytes(record), undefined, what);
      counts.wrongPhase++;
      continue;
    }
    const outcome = new Promise<unknown>((resolve) => {
      act = async (kong) => {
        try {
          resolve(await pdkFunction(kong, method)(...callArguments(messages.args, record.args)));
        } catch (error) {
          resolve(error);
          throw error;
        }
      };
    });
    peer.send({ cmd_handle_event: { instance_id, event_name: phase } });
    const sent = await answerOneCall(peer, record);
    if (deliberateDifference(record) !== undefined) {
      assert.notEqual(sent, argsHex, what);
      counts.differ++;
    } else {
      assert.equal(sent, argsHex, what);
      counts.sent++;
    }
    methods.add(method);

    const result = await outcome;
    if (kind === 'exit') {
      assert.equal((result as PdkError).code, 'HANDLER_EXIT', what);
    } else if (kind === 'void') {
      assert.equal(result, null, what);
    } else if (replyBytes(record) === undefined) {
      if (record.noReply !== undefined) {
        assert.deepEqual([(result as PdkError).code, (result as PdkError).method], ['PDK_NO_ANSWER', method]);
        counts.unanswered++;
      }
    } else {
      const expected = expectedResult(record, messages.result);
      if (expected !== undefined) {
        assert.deepEqual(result, expected.value, what);
        counts.understood++;
      } else assert.ok(!(result instanceof Error), `${what}: ${result}`);
    }

    if (kind === 'exit' || replyBytes(record) === undefined) {
      peer.close();
      peer = server.peer();
    } else {
      assert.deepEqual(await peer.frame(), EMPTY_FRAME.subarray(4), what);
      assert.ok(await peer.frame(), what);
    }
  }
  assert.equal(methods.size, PROTOBUF_METHODS.size - COMPOSED_INSTEAD.size, 'every function was called');
  assert.ok(counts.sent > 220 && counts.understood > 90 && counts.wrongPhase > 15, JSON.stringify(counts));
  assert.ok(counts.differ >= 2, JSON.stringify(counts));
});

test('what is sent instead of a recording, where the server knows better', async (t) => {
  class Plugin {
    access(kong: Kong) {
      kong.log.err(['a', 'b'], { k: 'v' }, new Error('e').message, undefined);
      kong.ctx.shared.set('cap', null);
      kong.nginx.setCtx('mine', null);
      kong.service.request.setHeader('X-A', null as never);
      kong.response.addHeader('X-A', null as never);
      kong.log.setSerializeValue('deep', null);
    }
  }
  const peer = (await serving(t, { plugin: Plugin })).peer();
  const { calls, end } = await peer.event((await peer.start('plugin')) as number);
  assert.equal(end, 'returned');
  assert.deepEqual(
    calls.map(({ args }) => args),
    [
      ["[ 'a', 'b' ]", "{ k: 'v' }", 'e', 'undefined'],
      { k: 'cap' },
      { k: 'mine' },
      { k: 'X-A' },
      { k: 'X-A' },
      { k: 'deep' },
    ],
  );
});
