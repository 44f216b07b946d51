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
  - { name: other, service: b }
`);
    assert.deepEqual(problems, []);
    const [a, b] = config.services;
    assert.deepEqual([a?.protocol, a?.host, a?.port, a?.path], ['https', 'example.test', 8443, '/base']);
    assert.deepEqual([b?.port, b?.path, b?.retries], [80, undefined, 5]);
    const [ra, rb] = config.routes;
    assert.deepEqual(ra?.paths, ['/a', '~/re/(?P<id>[0-9]+)']);
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
      problemsOf(`_format_version: "2.0"
upstreams: [{ name: 'u:1' }]
services:
  - name: a
    host: a.test
    tls_verify: true
    retries: many
    routes:
      - name: r
        paths: [no-slash]
        protocols: [http, tcp]
      - name: empty
    plugins:
      - name: key-aut
      - name: limits
        config:
          hosts: [x, 5]
          typo: 1
    typo: 2
plugins:
  - { name: limits, consumer: alice }
  - { name: limits, service: nobody }
  - { name: limits, service: { name: a } }
_info: {}
`),
      [
        'kong.yml:1:18: _format_version is "2.0", it must be one of "1.1", "2.1", "3.0"',
        `kong.yml:2:21: upstream "u:1": name: Invalid name ('u:1'); no port allowed`,
        `kong.yml:4:5: service "a": failed conditional validation given value of field 'protocol'`,
        'kong.yml:6:17: service "a": tls_verify: value must be null',
        'kong.yml:7:14: service "a": retries: expected an integer',
        'kong.yml:10:17: route "r": paths[0]: should start with: / (fixed path) or ~/ (regex path)',
        'kong.yml:11:20: route "r": protocols: these values are mutually exclusive',
        `kong.yml:12:9: route "empty": must set one of 'methods', 'hosts', 'headers', 'paths', 'snis' when 'protocols' is 'https'`,
        'kong.yml:14:15: plugin "key-aut": name: there is no such plugin, neither here nor among those that Kong 3.9 brings; did you mean "key-auth"?',
        'kong.yml:17:22: plugin "limits": config.hosts[1]: expected a string',
        'kong.yml:18:11: plugin "limits": config.typo: unknown field',
        'kong.yml:19:5: service "a": typo: unknown field',
        'kong.yml:21:31: plugin "limits": consumer: there is no consumer "alice"',
        'kong.yml:22:30: plugin "limits": service: there is no service "nobody"',
        'kong.yml:23:30: plugin "limits": service: expected a name, or an id as { id: … }: its primary key is missing',
        "kong.yml:24:1: unknown field _info (decK's, and no part of Kong's format)",
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
      'kong.yml:2:39: service "a": there is one already with this name',
      'kong.yml:3:28: plugin "other": there is one already with this name, route, service, consumer',
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
