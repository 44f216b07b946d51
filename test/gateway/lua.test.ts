import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { pluginCatalog } from '../../src/gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../../src/gateway/config/parse.js';
import { formatProblem } from '../../src/gateway/config/problems.js';
import { type EchoedRequest, type EchoUpstream, startEchoUpstream } from '../../src/gateway/echo-upstream.js';
import { type RawResponse, rawRequest } from './raw-client.js';
import { type RunningGateway, startGateway } from './support.js';

/** Functions for `access`, by the path of their route. */
const ACCESS: Readonly<Record<string, string>> = {
  json: `local cjson = require('cjson.safe')
         local value = cjson.decode('{"list":[1,null,"ü"],"none":null}')
         kong.response.set_header('x-value', tostring(value.list[1]) .. value.list[3] .. tostring(value.none == cjson.null))
         kong.response.set_header('x-text', cjson.encode({ 1, cjson.null, 'ü' }))
         kong.response.set_header('x-bad', tostring(cjson.decode('{')))`,
  text: `kong.response.set_header('x-text', ngx.md5('a') .. ngx.encode_base64('a\\0\\255') .. ngx.escape_uri('a b'))
         kong.response.set_header('x-back', ngx.decode_base64('YQ==') .. ngx.unescape_uri('a%20b'))`,
  request: `ngx.req.set_header('x-new', ngx.req.get_headers()['x-old'] .. ngx.req.get_method())
            ngx.req.clear_header('x-old')
            ngx.req.set_method(ngx.HTTP_PUT)
            ngx.req.set_uri('/elsewhere')
            ngx.req.set_uri_args({ a = ngx.req.get_uri_args().q })`,
  body: `ngx.req.read_body()
         kong.response.set_header('x-body', kong.request.get_body().a .. kong.request.get_raw_body() .. ngx.req.get_body_data())
         ngx.req.set_body_data('other')`,
  node: `kong.response.set_header('x-node', kong.version .. kong.configuration.database .. type(ngx.now()) .. type(ngx.time()))
         kong.response.set_header('x-write', tostring(pcall(function() kong.configuration.database = 'x' end)))
         kong.ctx.plugin.seen = { 5 }
         kong.response.set_header('x-ctx', tostring(kong.ctx.plugin.seen[1]) .. ngx.get_phase())
         ngx.log(ngx.ERR, 'seen ', nil, 5)`,
  exit: 'return ngx.exit(418)',
  page: 'ngx.exit(ngx.HTTP_FORBIDDEN)',
  say: "ngx.status = 402 ngx.header['X-Why'] = 'b' ngx.say('no ', 5) ngx.exit(402)",
  goes: "ngx.exit(ngx.OK) error('not reached')",
  jit: 'return 1ULL',
};

describe('functions of pre-function and post-function', () => {
  let upstream: EchoUpstream;
  let running: RunningGateway;
  before(async () => {
    upstream = await startEchoUpstream();
    const routes = Object.entries(ACCESS).map(
      ([name, source]) =>
        `  - { name: ${name}, paths: [/${name}], plugins: [{ name: pre-function, config: { access: [${JSON.stringify(source)}] } }] }`,
    );
    running = await startGateway(`_format_version: "3.0"
services:
- name: s
  url: http://127.0.0.1:${upstream.port}
  routes:
${routes.join('\n')}
  - name: filtered
    paths: [/filtered]
    plugins:
    - name: post-function
      config:
        header_filter: ["kong.response.set_header('x-seen', kong.response.get_status() .. kong.response.get_header('x-upstream')); ngx.header['x-upstream'] = nil"]
        body_filter: ["ngx.arg[1] = ngx.arg[1]:sub(1, 9):upper()"]
  - { name: broken, paths: [/broken], plugins: [{ name: post-function, config: { header_filter: ["error('x')"] } }] }
  - name: exits
    paths: [/exits]
    plugins: [{ name: post-function, config: { access: ["kong.response.exit(403, 'no')"], header_filter: ["kong.response.set_header('x-seen', 'yes')"] } }]
`);
  });
  after(async () => {
    await running.gateway.close();
    await upstream.close();
  });

  const send = async (name: string) => {
    const response = await rawRequest(running.port, {
      method: 'POST',
      path: `/${name}?q=7`,
      headers: [
        ['Host', 'h'],
        ['Content-Type', 'application/json'],
        ['X-Old', 'o'],
      ],
      body: '{"a":42}',
    });
    return { response, status: response.statusLine.split(' ')[1], header: headerOf(response) };
  };
  const headerOf = (response: RawResponse) => (name: string) =>
    response.headers.find(([key]) => key.toLowerCase() === name)?.[1];

  it('have cjson, with its null', async () => {
    const { header } = await send('json');
    const utf8 = Buffer.from('ü').toString('latin1');
    assert.deepEqual(['x-value', 'x-text', 'x-bad'].map(header), [
      `1${utf8}true`,
      `[1,null,"${utf8}"]`,
      'nil',
    ]);
  });

  it('have what ngx does with text', async () => {
    const { header } = await send('text');
    assert.deepEqual(['x-text', 'x-back'].map(header), ['0cc175b9c0f1b6a831c399e269772661YQD/a%20b', 'aa b']);
  });

  it('read and change the request through ngx.req', async () => {
    const echoed = JSON.parse((await send('request')).response.body) as EchoedRequest;
    assert.deepEqual([echoed.method, echoed.url], ['PUT', '/elsewhere?a=7']);
    const names = echoed.headers.map(([name, value]) => `${name.toLowerCase()}=${value}`);
    assert.ok(names.includes('x-new=oPOST') && !names.some((line) => line.startsWith('x-old')), names.join());
  });

  it('read the body', async () => {
    const { response, header } = await send('body');
    assert.equal(header('x-body'), '42{"a":42}{"a":42}');
    assert.equal((JSON.parse(response.body) as EchoedRequest).body, 'other');
  });

  it('know the version, the public configuration, and what they kept of the request', async () => {
    const { header } = await send('node');
    assert.deepEqual(['x-node', 'x-ctx'].map(header), ['3.9.1offnumbernumber', '5access']);
    assert.equal(header('x-write'), 'false');
    assert.ok(running.log.some((line) => line.startsWith('error [kong] [pre-function] seen nil5')));
  });

  it('end requests through nginx', async () => {
    assert.equal((await send('exit')).status, '418');
    assert.match((await send('page')).response.body, /<h1>403 Forbidden<\/h1>/);
    const { status, header, response } = await send('say');
    assert.deepEqual([status, header('x-why'), response.body], ['402', 'b', 'no 5\n']);
    assert.equal((await send('goes')).status, '200');
  });

  it('filter the head and the body of responses, made by the upstream or by a plugin', async () => {
    const { response, header } = await send('filtered');
    assert.deepEqual(
      [response.body, header('x-seen'), header('x-upstream')],
      ['{"METHOD"', '200echo', undefined],
    );
    const exit = await send('exits');
    assert.deepEqual([exit.status, exit.header('x-seen'), exit.response.body], ['403', 'yes', 'no']);
    assert.equal((await send('broken')).response.statusLine, '', 'closed without a response');
  });

  it('fail by name where LuaJIT takes what Lua 5.4 does not', async () => {
    assert.equal((await send('jit')).status, '500');
    assert.ok(running.log.some((line) => /malformed number/.test(line)));
  });
});

describe('checking functions', () => {
  const check = (plugin: string) => {
    const text = `_format_version: "3.0"\nplugins:\n${plugin}\n`;
    const { problems, notes } = parseDeclarativeConfig(text, 'kong.yml', pluginCatalog([]));
    return { faults: problems.map(formatProblem), notes: notes.map(formatProblem) };
  };

  it('names a syntax error in the file, in a block and in a quoted text', () => {
    const { faults } = check(`- name: pre-function
  config:
    access:
    - |
      local a = 1
      local b <const> = 2
    - "return 5 & 2"
    log: ['x = ']
    rewrite: ["return 7 // 2", "goto continue"]
    body_filter: ['']`);
    assert.deepEqual(faults, [
      `kong.yml:8:15: plugin "pre-function": config.access[0]: unexpected symbol '<' near 'const'`,
      `kong.yml:9:18: plugin "pre-function": config.access[1]: unexpected symbol '&' near '5'`,
      `kong.yml:10:16: plugin "pre-function": config.log[0]: <expression> expected near '<eof>'`,
      `kong.yml:11:26: plugin "pre-function": config.rewrite[0]: <expression> expected near '/'`,
      `kong.yml:11:33: plugin "pre-function": config.rewrite[1]: no visible label 'continue' for <goto>`,
      `kong.yml:12:19: plugin "pre-function": config.body_filter[0]: length must be at least 1`,
    ]);
  });

  it('notes what is not emulated, once per name', () => {
    const { faults, notes } = check(`- name: post-function
  config:
    access:
    - |
      local http = require "resty.http"
      ngx.socket.tcp() ngx.socket.tcp()
      kong.cache:get('x')
      local kong = {}
      kong.anything()
      ngx.var.whatever = ngx.ctx.x.y
    certificate: ["return"]`);
    assert.deepEqual(faults, []);
    assert.deepEqual(notes, [
      `kong.yml:7:20: plugin "post-function": config.access[0]: require "resty.http" is not emulated by the local gateway`,
      `kong.yml:8:7: plugin "post-function": config.access[0]: ngx.socket is not emulated by the local gateway`,
      `kong.yml:9:7: plugin "post-function": config.access[0]: kong.cache is not emulated by the local gateway`,
      `kong.yml:13:18: plugin "post-function": config.certificate: never runs in the local gateway, which has no TLS`,
    ]);
  });
});
