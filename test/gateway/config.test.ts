import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pluginCatalog } from '../../src/gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../../src/gateway/config/parse.js';
import { formatProblem } from '../../src/gateway/config/problems.js';
import { PluginPlan } from '../../src/gateway/plan.js';

const catalog = pluginCatalog([
  {
    name: 'limits',
    priority: 5,
    phases: ['access'],
    schema: [
      { hosts: { type: 'array', elements: { type: 'string' } } },
      { count: { type: 'integer', default: 3 } },
    ],
  },
  { name: 'other', priority: 5, phases: ['access'], schema: [] },
]);

const parse = (text: string) => parseDeclarativeConfig(text, 'kong.yml', catalog);
const problemsOf = (text: string) => parse(text).problems.map(formatProblem);

describe('parseDeclarativeConfig', () => {
  it('reads services, routes, consumers and plugins, nested and at the top level', () => {
    const { config, problems } = parse(`
_format_version: "3.0"
_transform: true
services:
  - name: a
    url: https://example.test:8443/base
    routes:
      - name: ra
        paths: [/a, '~/re/(?P<id>[0-9]+)']
        plugins: [{ name: limits, config: { hosts: [x] } }]
    plugins: [{ name: other }]
  - { name: b, host: b.test }
routes:
  - { name: rb, service: b, hosts: ['*.b.test'], methods: [GET], strip_path: false }
consumers: [{ username: alice, tags: [vip] }]
plugins:
  - { name: limits, route: rb, enabled: false }
  - { name: other, service: { name: b } }
`);
    assert.deepEqual(problems, []);
    const [a, b] = config.services;
    assert.deepEqual([a?.protocol, a?.host, a?.port, a?.path], ['https', 'example.test', 8443, '/base']);
    assert.deepEqual([b?.port, b?.path, b?.retries], [80, undefined, 5]);
    const [ra, rb] = config.routes;
    assert.deepEqual(
      ra?.paths.map(({ regex }) => regex?.source),
      [undefined, '^(?:\\/re\\/(?<id>[0-9]+))'],
    );
    assert.equal(rb?.service, b);
    assert.deepEqual(
      config.plugins.map(({ name, route, service, enabled }) => [name, route?.name, service?.name, enabled]),
      [
        ['limits', 'ra', undefined, true],
        ['other', undefined, 'a', true],
        ['limits', 'rb', undefined, false],
        ['other', undefined, 'b', true],
      ],
    );
    assert.deepEqual(config.plugins[0]?.config, { hosts: ['x'], count: 3 });
    assert.match(config.consumers[0]?.id ?? '', /^[0-9a-f-]{36}$/);
  });

  it('gives the same ids in every run', () => {
    const text = '_format_version: "3.0"\nservices: [{ name: a, host: a.test }]';
    assert.equal(parse(text).config.services[0]?.id, parse(text).config.services[0]?.id);
  });

  it('names every fault with its place', () => {
    assert.deepEqual(
      problemsOf(`_format_version: "2.1"
upstreams: [{ name: u }]
services:
  - name: a
    host: a.test
    tls_verify: true
    retries: many
    routes:
      - name: r
        paths: [no-slash]
        snis: [x]
        protocols: [grpc]
      - name: empty
    plugins:
      - name: key-auth
      - name: limits
        config:
          hosts: [x, 5]
          typo: 1
plugins:
  - { name: limits, consumer: alice }
  - { name: limits, service: nobody }
  - name: post-function
    config:
      header_filter: ["return"]
`),
      [
        'kong.yml:1:18: _format_version is "2.1", it must be "3.0"',
        'kong.yml:7:14: service "a": retries must be an integer from 0 to 32767',
        'kong.yml:6:5: service "a": tls_verify is not emulated by the local gateway',
        'kong.yml:12:21: route "r": protocol grpc is not emulated by the local gateway',
        'kong.yml:10:17: route "r": path no-slash must start with / (or ~/ for a regular expression)',
        'kong.yml:11:9: route "r": snis is not emulated by the local gateway',
        'kong.yml:9:9: route "r": needs at least one of methods, hosts, headers, paths',
        'kong.yml:13:9: route "empty": needs at least one of methods, hosts, headers, paths',
        'kong.yml:2:1: config: upstreams is not emulated by the local gateway',
        'kong.yml:15:9: plugin key-auth is not emulated by the local gateway (it has pre-function, post-function, limits, other)',
        'kong.yml:18:22: plugin "limits": config.hosts.1: expected a string',
        'kong.yml:19:17: plugin "limits": config.typo: unknown field',
        'kong.yml:21:21: plugin "limits": consumer is not emulated by the local gateway',
        'kong.yml:22:30: plugin "limits": there is no service "nobody"',
        'kong.yml:25:22: plugin "post-function": config.header_filter: header_filter is not emulated by the local gateway',
      ],
    );
  });

  it('reports text that is no YAML, and YAML that is no mapping', () => {
    assert.match(problemsOf('a: [1\nb: 2')[0] ?? '', /^kong\.yml:2:1: /);
    assert.deepEqual(problemsOf('- 1'), ['kong.yml:1:1: a declarative config must be a mapping']);
    assert.match(problemsOf('services: []')[0] ?? '', /_format_version is missing/);
  });

  it('refuses two entities with one name, and a plugin twice in one scope', () => {
    const problems = problemsOf(`_format_version: "3.0"
services: [{ name: a, host: a.test }, { name: a, host: b.test }]
plugins: [{ name: other }, { name: other }]
`);
    assert.deepEqual(problems, [
      'kong.yml:2:39: service "a": there is one already with this name or id',
      'kong.yml:3:30: plugin "other": there is one already for the same scope',
    ]);
  });
});

describe('PluginPlan', () => {
  const { config } = parse(`
_format_version: "3.0"
services:
  - name: a
    host: a.test
    routes:
      - { name: r1, paths: [/1], plugins: [{ name: limits, config: { count: 1 } }] }
      - { name: r2, paths: [/2], plugins: [{ name: limits, enabled: false }] }
    plugins: [{ name: limits, config: { count: 2 } }]
plugins:
  - name: limits
  - name: other
  - { name: pre-function, config: { access: ["return"] } }
`);
  const plan = new PluginPlan(config, catalog, 7);
  const shown = (index: number) => {
    const route = config.routes[index];
    assert.ok(route !== undefined);
    return plan.forRequest(route, route.service).map(({ name, config: { count } }) => [name, count]);
  };

  it('runs the most specific entity of each plugin, by priority and then by descending name', () => {
    assert.deepEqual(shown(0), [
      ['pre-function', undefined],
      ['other', undefined],
      ['limits', 1],
    ]);
    assert.deepEqual(shown(1), [
      ['pre-function', undefined],
      ['other', undefined],
      ['limits', 2],
    ]);
    assert.deepEqual(
      plan.global().map(({ name, config: { count } }) => [name, count]),
      [
        ['pre-function', undefined],
        ['other', undefined],
        ['limits', 3],
      ],
    );
  });

  it('adds the keys that Kong adds to a config, and a key of the generation', () => {
    const route = config.routes[0];
    assert.ok(route !== undefined);
    const planned = plan.forRequest(route, route.service).at(-1);
    const { __key__, __plugin_id, __seq__, __ws_id, route_id, service_id, ...own } = planned?.config ?? {};
    assert.equal(__key__, `plugins:limits:${route.id}::::${__ws_id}`);
    assert.equal(__seq__, 7);
    assert.equal(route_id, route.id);
    assert.equal(service_id, undefined);
    assert.equal(__plugin_id, config.plugins.find((plugin) => plugin.route === route)?.id);
    assert.deepEqual(own, { count: 1 });
    assert.notEqual(
      planned?.key,
      new PluginPlan(config, catalog, 8).forRequest(route, route.service).at(-1)?.key,
    );
  });
});
