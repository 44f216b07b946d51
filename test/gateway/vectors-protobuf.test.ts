import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { LuaError, type PdkHost, ResponseExit, UnknownPdkMethod } from '../../src/gateway/plugin-port.js';
import { decodeArguments, encodeResult } from '../../src/gateway/rpc/protobuf-values.js';
import { decodeMessage } from '../../src/protocol/protobuf/messages.js';
import { PROTOBUF_METHODS } from '../../src/protocol/protobuf/methods.js';
import { assertAsRecorded, ReplayStage } from './replay.js';
import { groupEvents, type NumberedVector, readVectors } from './vectors.js';

/** What cannot be replayed here, and why. */
function reasonToSkip(vector: NumberedVector): string | undefined {
  if (typeof vector.request === 'object' && vector.request.tls === true)
    return 'the gateway has no TLS listener';
  if (vector.request === undefined || vector.plugin === 'pb-acc2') return 'no request was recorded';
  if (vector.note?.includes('key-auth') === true)
    return 'key-auth is a Lua plugin of Kong that is not emulated';
  if (vector.note?.startsWith('existing upstream') === true) return 'upstreams are not emulated';
  if (vector.note === 'empty name') return 'node sends no request with an empty header name';
  if (vector.note?.startsWith('https to a plain') === true) return undefined;
  if (vector.argsTruncated !== undefined) return 'the recording is cut';
  if (vector.args === null) return 'not a method of the protocol: see the test of unknown methods';
  return undefined;
}

/** Replies whose content depends on the run: compared by their fields' names. */
const VARYING = new Set([
  'kong.client.get_port',
  'kong.client.get_forwarded_port',
  'kong.nginx.req_start_time',
  'kong.node.get_id',
  'kong.node.get_memory_stats',
  'kong.log.serialize',
]);

describe('PDK host functions against what Kong answered over ProtoBuf', () => {
  let stage: ReplayStage;
  before(async () => {
    stage = await ReplayStage.start();
  });
  after(() => stage.close());

  const { events, skipped } = groupEvents(readVectors('protobuf'));
  for (const vector of skipped) {
    it(`${vector.number} ${vector.method}`, {
      skip: 'earlier calls of its event were not recorded',
    }, () => {});
  }
  for (const event of events) {
    const last = event.at(-1) as NumberedVector;
    const name = event.map(({ number, method, note = '' }) => `${number} ${method} ${note}`).join(', ');
    const skip = event.map(reasonToSkip).find((reason) => reason !== undefined);
    it(`${last.phase}: ${name}`, { skip: skip ?? false }, async () => {
      let failure: unknown;
      const replayed = await stage.replay(event, async (host) => {
        for (const vector of event) {
          try {
            await check(vector, host, stage);
          } catch (error) {
            if (error instanceof LuaError || error instanceof ResponseExit) throw error;
            failure = error;
            return;
          }
        }
      });
      if (failure !== undefined) throw failure;
      assertAsRecorded(last, replayed);
    });
  }

  it('refuses methods that the PDK does not have', async () => {
    const [first] = events.flat();
    let refused = 0;
    await stage.replay([first as NumberedVector], (host) => {
      for (const name of ['kong.no.such_method', 'Kong.Request.Get_Headers', 'kong.cache.get', '']) {
        try {
          host.call(name, []);
        } catch (error) {
          if (error instanceof UnknownPdkMethod) refused += 1;
        }
      }
    });
    assert.equal(refused, 4);
  });
});

/** Makes the recorded call; throws what ends the event in Kong, after checking that it does. */
async function check(vector: NumberedVector, host: PdkHost, stage: ReplayStage): Promise<void> {
  const method = PROTOBUF_METHODS.get(vector.method);
  assert.ok(method !== undefined);
  const args = decodeArguments(method, Buffer.from(vector.argsHex ?? '', 'hex'));
  if (vector.method === 'kong.service.set_target' && args[1] === 9100) {
    args[1] = stage.upstreamPort;
  }
  if (vector.noReply !== undefined) {
    try {
      encodeResult(method, await host.call(vector.method, args));
    } catch (error) {
      if (vector.method === 'kong.response.exit' && error instanceof ResponseExit) throw error;
      assert.ok(error instanceof LuaError, String(error));
      const logged = vector.kongErrorLog?.join('\n') ?? '';
      assert.ok(logged.includes(error.message), `${error.message} is not in ${logged}`);
      throw error;
    }
    assert.fail('Kong did not answer this call');
  }
  const result = encodeResult(method, await host.call(vector.method, args));
  if (vector.replyTruncated !== undefined) {
    assert.equal(result.subarray(0, 2).length > 0, true);
    const bytes = Number(/of (\d+)/.exec(vector.replyTruncated)?.[1]);
    assert.equal(result.length, bytes);
    return;
  }
  const expected = decodeMessage(method.result, Buffer.from(vector.replyHex ?? '', 'hex'));
  const actual = decodeMessage(method.result, result);
  if (VARYING.has(vector.method)) {
    assert.deepEqual(shape(actual), shape(expected));
  } else {
    assert.deepEqual(stable(actual, stage), stable(expected, stage));
  }
}

/** The names and types in a value; JSON text is looked into. */
function shape(value: unknown): unknown {
  if (typeof value === 'string' && value.startsWith('{')) return shape(JSON.parse(value));
  if (Array.isArray(value)) return value.map(() => 'item');
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, item]) => [key, shape(item)]),
    );
  }
  return typeof value;
}

const IDS_AND_TIMES = new Set([
  'id',
  'created_at',
  'updated_at',
  'date',
  'x-kong-request-id',
  'x-kong-upstream-latency',
  'x-kong-proxy-latency',
]);

/** Without what varies per run: ids of routes and services, times, ports. */
function stable(value: unknown, stage: ReplayStage): unknown {
  if (value === stage.running.port) return 8100;
  if (value === stage.upstreamPort) return 9100;
  if (Array.isArray(value)) return value.map((item) => stable(item, stage));
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, item]) => {
          const varies =
            IDS_AND_TIMES.has(key) &&
            !String(item).startsWith('a1a1') &&
            !String(item).startsWith('c1c1') &&
            Boolean(item);
          return [key, varies ? '(varies)' : stable(item, stage)];
        }),
    );
  }
  return value;
}
