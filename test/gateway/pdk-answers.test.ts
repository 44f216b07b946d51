import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type EchoedRequest, type EchoUpstream, startEchoUpstream } from '../../src/gateway/echo-upstream.js';
import type { LuaValue, PdkHost } from '../../src/gateway/plugin-port.js';
import { type RawResponse, rawRequest } from './raw-client.js';
import { type RunningGateway, startGateway, until } from './support.js';

/** One call, and what comes of it: the result, or the text of Lua's error, behind "!". */
type Call = readonly [method: string, args: readonly LuaValue[], outcome?: LuaValue];

interface Case {
  readonly what: string;
  readonly phase?: 'rewrite' | 'access' | 'response' | 'log';
  readonly request?: { readonly body?: string; readonly type?: string; readonly query?: string };
  readonly calls: readonly Call[];
  readonly response?: (response: RawResponse) => unknown;
  readonly upstream?: (echoed: EchoedRequest) => unknown;
  readonly expected?: unknown;
}

const KB100 = 'b'.repeat(100_000);
const message = ({ body }: RawResponse) => JSON.parse(body).message as unknown;
const json = { body: '5', type: 'application/json' };

const CASES: readonly Case[] = [
  {
    what: 'header values in a list are texts',
    calls: [
      [
        'kong.response.set_header',
        ['X-L', ['a', 5]],
        '!invalid header value in array "X-L": got number, expected string',
      ],
      [
        'kong.service.request.set_headers',
        [{ 'X-L': [true] }],
        '!invalid header value in array "X-L": got boolean, expected string',
      ],
      ['kong.response.set_header', ['X-N', 5]],
      ['kong.response.clear_header', [5], '!header name must be a string'],
      ['kong.service.request.clear_header', [5], '!header must be a string'],
    ],
  },
  {
    what: 'Transfer-Encoding is ignored',
    calls: [
      ['kong.response.set_header', ['transfer_encoding', 'gzip']],
      ['kong.response.set_headers', [{ 'Transfer-Encoding': 'x' }]],
    ],
    response: ({ headers }) =>
      headers.filter(([name, value]) => /^transfer/i.test(name) && value !== 'chunked').length,
    expected: 0,
  },
  {
    what: 'error without a text: Kong’s own',
    calls: [['kong.response.error', [422]]],
    response: message,
    expected: 'Unprocessable entity',
  },
  {
    what: 'error of a status that Kong has no words for',
    calls: [['kong.response.error', [499]]],
    response: message,
    expected: 'The upstream server responded with 499',
  },
  {
    what: 'error with a table',
    calls: [['kong.response.error', [400, { a: 1 }]]],
    response: message,
    expected: '{"a":1}',
  },
  {
    what: 'error with what it does not take',
    calls: [
      ['kong.response.error', [399], '!code must be a number between 400 and 599'],
      ['kong.response.error', [400, true], '!message must be a nil, a string or a table'],
      ['kong.response.error', [400, 'a', 'b'], '!headers must be a nil or table'],
    ],
  },
  {
    what: 'limits of retries and times',
    calls: [
      ['kong.service.set_retries', ['5'], '!retries must be an integer'],
      ['kong.service.set_retries', [32_768], '!retries must be an integer between 0 and 32767: given 32768'],
      ['kong.service.set_timeouts', [1, 1.5, 1], '!write_timeout must be an integer'],
      [
        'kong.service.set_timeouts',
        [1, 1, 0],
        '!read_timeout must be an integer between 1 and 2147483646: given 0',
      ],
      ['kong.service.set_timeouts', [1000, 1000, 1000]],
    ],
  },
  {
    what: 'one argument taken out of the query',
    request: { query: '?a=1&b=%20&a=2&c' },
    calls: [['kong.service.request.clear_query_arg', ['a']]],
    upstream: ({ url }) => url,
    expected: '/?b=+&c=',
  },
  {
    what: 'a body of JSON that is no table',
    request: json,
    calls: [
      ['kong.request.get_body', []],
      ['kong.request.get_body', ['application/json', 0]],
    ],
  },
  {
    what: 'a form',
    request: { body: 'a=1', type: 'application/x-www-form-urlencoded; charset=utf-8' },
    calls: [
      ['kong.request.get_body', [], { a: '1' }],
      ['kong.request.get_body', [undefined, 0], '!max_args must be >= 1'],
    ],
  },
  {
    what: 'parts of a form are not emulated, and say so',
    request: { body: '', type: 'multipart/form-data; boundary=b' },
    calls: [
      ['kong.request.get_body', [], '!decoding multipart/form-data is not emulated by the local gateway'],
    ],
  },
  {
    what: 'a body in a file, up to a size',
    request: { body: KB100 },
    calls: [
      ['kong.request.get_raw_body', [0], { content: KB100 }],
      ['kong.request.get_raw_body', [100_000], { content: KB100 }],
    ],
  },
  {
    what: 'a body to set without a type',
    calls: [
      ['kong.service.request.set_body', [{ a: 1 }]],
      ['kong.service.request.set_body', ['a'], '!args must be a table'],
    ],
  },
  {
    what: 'no address is trusted',
    calls: [
      ['kong.ip.is_trusted', ['127.0.0.1'], false],
      ['kong.ip.is_trusted', [5], false],
    ],
  },
  {
    what: 'authenticated only in access',
    phase: 'response',
    calls: [
      [
        'kong.client.authenticate',
        [{ id: 'a' }],
        '!function cannot be called in response phase (only in: access)',
      ],
    ],
  },
];

describe('answers of the PDK, as its source has them', () => {
  let upstream: EchoUpstream;
  let running: RunningGateway;
  let handler: { phase: string; run: (host: PdkHost) => Promise<void> } | undefined;

  before(async () => {
    upstream = await startEchoUpstream();
    const inPhase = (phase: string) => (host: PdkHost) =>
      handler?.phase === phase ? handler.run(host) : undefined;
    const handlers = { rewrite: inPhase('rewrite'), access: inPhase('access'), log: inPhase('log') };
    running = await startGateway(
      `_format_version: "3.0"
services:
- name: s
  url: http://127.0.0.1:${upstream.port}
  routes: [{ name: r, paths: [/] }, { name: b, paths: [/response], plugins: [{ name: later }] }]
plugins: [{ name: probe }]
`,
      [
        { name: 'probe', handlers },
        { name: 'later', handlers: { response: inPhase('response') } },
      ],
    );
  });
  after(async () => {
    await running.gateway.close();
    await upstream.close();
  });

  const send = async (request: Case['request'], phase: string) => {
    const { body, type, query = '' } = request ?? {};
    return rawRequest(running.port, {
      method: body === undefined ? 'GET' : 'POST',
      path: `${phase === 'response' ? '/response' : '/'}${query}`,
      headers: [['Host', 'h'], ...(type === undefined ? [] : [['Content-Type', type] as const])],
      body,
    });
  };

  for (const { what, phase = 'access', request, calls, response, upstream: seen, expected } of CASES) {
    it(what, async () => {
      const outcomes: LuaValue[] = [];
      const run = async (host: PdkHost) => {
        for (const [method, args] of calls) {
          try {
            outcomes.push(await host.call(method, args));
          } catch (error) {
            outcomes.push(`!${(error as Error).message}`);
            if ((error as { code?: string }).code === 'RESPONSE_EXIT') throw error;
          }
        }
      };
      handler = { phase, run };
      const answer = await send(request, phase);
      const wanted = calls.map(([method, , outcome]) =>
        response !== undefined && outcome === undefined && method === 'kong.response.error'
          ? '!the plugin ended the request with a response'
          : outcome,
      );
      assert.deepEqual(structuredClone(outcomes), wanted);
      if (response !== undefined) assert.deepEqual(response(answer), expected);
      if (seen !== undefined) assert.deepEqual(seen(JSON.parse(answer.body) as EchoedRequest), expected);
    });
  }

  it('puts values into the serialized table: set, add, replace', async () => {
    let text: LuaValue;
    const set = (host: PdkHost, ...args: LuaValue[]) => host.call('kong.log.set_serialize_value', args);
    let failure: unknown;
    handler = {
      phase: 'access',
      run: async (host) => {
        set(host, 'a.b', 1);
        set(host, 'a.b', 2, { mode: 'add' });
        set(host, 'a.c', 3, { mode: 'add' });
        set(host, 'a.d', 4, { mode: 'replace' });
        set(host, 'x.y', 5, { mode: 'replace' });
        set(host, 'request.method', 'M', { mode: 'replace' });
        try {
          set(host, 'a', 1, { mode: 'other' });
        } catch (error) {
          failure = error;
        }
        handler = {
          phase: 'log',
          run: async (later) => {
            text = await later.call('kong.log.serialize', []);
          },
        };
      },
    };
    await send(undefined, 'access');
    await until(() => text !== undefined, 'the log phase');
    const { a, x, request } = JSON.parse(text as string);
    assert.deepEqual([a, x, request.method], [{ b: 1, c: 3 }, undefined, 'M']);
    assert.match(String(failure), /mode must be 'set', 'add' or 'replace'/);
  });
});
