import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  LuaError,
  type LuaTable,
  type LuaValue,
  type PdkHost,
  ResponseExit,
} from '../../src/gateway/plugin-port.js';
import { assertAsRecorded, ReplayStage } from './replay.js';
import { fromRecorded, groupEvents, type NumberedVector, readVectors } from './vectors.js';

/** What cannot be replayed here, and why. */
function reasonToSkip(vector: NumberedVector): string | undefined {
  if (typeof vector.request === 'object' && vector.request.tls === true)
    return 'the gateway has no TLS listener';
  if (typeof vector.request === 'object' && vector.request.path === '/mp/auth')
    return 'key-auth is not emulated';
  if (vector.method === 'kong.vault.get') return 'vaults are not emulated';
  if (['', 'kong.cache.get', 'kong.configuration'].includes(vector.method)) return 'not a PDK function';
  if (vector.note === '100 KB') return 'the file is the MsgPack caller’s business';
  if (vector.method === 'kong.no.such_method') return 'see the ProtoBuf vectors';
  return undefined;
}

const VARYING = new Set([
  'kong.client.get_port',
  'kong.nginx.req_start_time',
  'kong.request.get_start_time',
  'kong.node.get_id',
  'kong.node.get_memory_stats',
  'kong.log.serialize',
]);

/** The functions whose tables are sent as name to list. */
const MULTI_MAPS = /get_headers$|get_query$/;

describe('PDK host functions against what Kong answered over MsgPack', () => {
  let stage: ReplayStage;
  before(async () => {
    stage = await ReplayStage.start();
  });
  after(() => stage.close());

  const { events, skipped } = groupEvents(readVectors('msgpack'));
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

  it('names what Kong has and it has not', async () => {
    const [first] = events.flat();
    const names = ['kong.vault.get', 'kong.service.set_tls_verify', 'kong.telemetry.log'];
    const failures: unknown[] = [];
    await stage.replay([first as NumberedVector], (host) => {
      for (const name of names) failures.push(failureOf(() => host.call(name, ['x'])));
    });
    assert.deepEqual(
      failures.map((failure) => (failure as Error).message),
      names.map((name) => `${name} is not emulated by the local gateway`),
    );
  });
});

function failureOf(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error;
  }
}

async function check(vector: NumberedVector, host: PdkHost, stage: ReplayStage): Promise<void> {
  const recorded = vector.args === '(absent)' ? [] : (vector.args ?? []);
  const args = (Array.isArray(recorded) ? recorded : [recorded]).map(fromRecorded);
  if (vector.method === 'kong.service.set_target' && args[1] === 9100) {
    args[1] = stage.upstreamPort;
  }
  if (vector.noReply !== undefined) {
    try {
      await host.call(vector.method, args);
    } catch (error) {
      if (/^kong\.response\.(exit|error)$/.test(vector.method) && error instanceof ResponseExit) throw error;
      assert.ok(error instanceof LuaError, String(error));
      const logged = vector.kongErrorLog?.join('\n') ?? '';
      assert.ok(logged.includes(error.message), `${error.message} is not in ${logged}`);
      throw error;
    }
    assert.fail('Kong did not answer this call');
  }
  const result = await host.call(vector.method, args);
  const actual = stable(shown(vector.method, result), stage);
  const expected = stable(fromRecorded(vector.reply), stage);
  if (VARYING.has(vector.method)) {
    assert.deepEqual(typeof actual, typeof expected);
  } else {
    assert.deepEqual(actual, expected);
  }
}

/** A result as MsgPack carries it. */
function shown(method: string, result: LuaValue): LuaValue {
  if (method === 'kong.request.get_raw_body') {
    return (result as LuaTable).content;
  }
  if (MULTI_MAPS.test(method)) {
    const list = (value: LuaValue) => (value === true ? [] : [value].flat());
    return Object.fromEntries(
      Object.entries(result as LuaTable).map(([key, value]) => [key, list(value) as LuaValue]),
    );
  }
  return result;
}

const PER_RUN = new Set([
  'id',
  'created_at',
  'updated_at',
  'date',
  'x-kong-request-id',
  'x-kong-upstream-latency',
  'x-kong-proxy-latency',
]);

/** Without what varies per run; empty lists and empty maps are one empty table in Lua. */
function stable(value: LuaValue, stage: ReplayStage): unknown {
  if (value === stage.running.port) return 8100;
  if (value === stage.upstreamPort) return 9100;
  if (typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.length === 0 ? {} : value.map((item) => stable(item, stage));
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [
        key,
        PER_RUN.has(key) && !String(item).startsWith('a1a1') ? '(varies)' : stable(item, stage),
      ]),
  );
}
