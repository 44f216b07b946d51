import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pluginCatalog } from '../../src/gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../../src/gateway/config/parse.js';
import { HeaderList } from '../../src/gateway/http/header-list.js';
import { escapePath, normalizePath, upstreamPath } from '../../src/gateway/router/path.js';
import { Router } from '../../src/gateway/router/router.js';

function routerOf(routes: string): Router {
  const text = `_format_version: "3.0"\nroutes:\n${routes}`;
  const { config, problems } = parseDeclarativeConfig(text, 'kong.yml', pluginCatalog([]));
  assert.deepEqual(problems, []);
  return new Router(config.routes);
}

interface Asked {
  path?: string;
  method?: string;
  host?: string;
  port?: number;
  headers?: [string, string][];
}

function match(
  router: Router,
  { path = '/', method = 'GET', host = 'cap.test', port = 80, headers = [] }: Asked,
) {
  return router.match({ path, method, host, port, headers: new HeaderList(headers) });
}

describe('Router', () => {
  it('prefers the longest prefix, and a regex to any prefix', () => {
    const router = routerOf(`
  - { name: short, paths: [/a] }
  - { name: long, paths: [/a/b] }
  - { name: regex, paths: ['~/a/b/[0-9]+$'] }
`);
    assert.equal(match(router, { path: '/a/x' })?.route.name, 'short');
    assert.equal(match(router, { path: '/a/b/c' })?.route.name, 'long');
    assert.equal(match(router, { path: '/a/b/42' })?.route.name, 'regex');
    assert.equal(match(router, { path: '/b' }), undefined);
  });

  it('orders regexes by regex_priority', () => {
    const router = routerOf(`
  - { name: low, paths: ['~/r/[a-z]+'] }
  - { name: high, paths: ['~/r/x'], regex_priority: 1 }
`);
    assert.equal(match(router, { path: '/r/xyz' })?.route.name, 'high');
    assert.equal(match(router, { path: '/r/abc' })?.route.name, 'low');
  });

  it('prefers more kinds of rules, plain hosts and more headers', () => {
    const router = routerOf(`
  - { name: path, paths: [/long/path] }
  - { name: wild, hosts: ['*.test'], paths: [/long/path] }
  - { name: plain, hosts: [cap.test], paths: [/l] }
  - { name: method, hosts: [cap.test], paths: [/l], methods: [POST] }
  - { name: header, hosts: [cap.test], paths: [/l], headers: { X-V: ['1', '2'] } }
  - { name: headers, hosts: [cap.test], paths: [/l], headers: { X-V: ['1'], X-W: ['~*^a'] } }
`);
    const name = (asked: Asked) => match(router, { path: '/long/path', ...asked })?.route.name;
    assert.equal(name({ host: 'elsewhere' }), 'path');
    assert.equal(name({ host: 'any.test' }), 'wild');
    assert.equal(name({}), 'plain');
    assert.equal(name({ method: 'POST' }), 'method');
    assert.equal(name({ headers: [['x-v', '2']] }), 'header');
    assert.equal(
      name({
        headers: [
          ['x-v', '1'],
          ['x-w', 'Abc'],
        ],
      }),
      'headers',
    );
  });

  it('hands out named and unnamed captures, and what was matched', () => {
    const found = match(routerOf(`  - { paths: ['~/c/(?<name>[a-z]+)/([0-9]+)'] }`), {
      path: '/c/abc/42/rest',
    });
    assert.deepEqual(found?.captures, ['/c/abc/42', 'abc', '42']);
    assert.deepEqual({ ...found?.namedCaptures }, { name: 'abc' });
    assert.equal(found?.matchedPath, '/c/abc/42');
  });

  it('minds the port in a host', () => {
    const router = routerOf(`  - { hosts: ['cap.test:8000'] }`);
    assert.ok(match(router, { port: 8000 }));
    assert.equal(match(router, { port: 80 }), undefined);
  });
});

describe('paths', () => {
  it('normalises as Kong does', () => {
    assert.equal(normalizePath('/pb/acc/a%20b/../c'), '/pb/acc/c');
    assert.equal(normalizePath('//a///b/./c/'), '/a/b/c/');
    assert.equal(normalizePath('/a/../../b'), '/b');
    assert.equal(normalizePath('/%7euser/%2f%2F%20%c3%a9'), '/~user/%2F%2F \xc3\xa9');
    assert.equal(normalizePath('/'), '/');
    assert.equal(normalizePath('/a/..'), '/');
  });

  it('escapes what a request line cannot hold', () => {
    assert.equal(escapePath('/a b/\xc3\xa9?x=1%20'), '/a%20b/%C3%A9?x=1%20');
  });

  it('joins the service path and the rest of the request path (v0)', () => {
    const cases: [base: string, path: string, matched: string | undefined, expected: string][] = [
      ['/', '/a/b', '/a', '/b'],
      ['/', '/a', '/a', '/'],
      ['/', '/ab', '/a', '/b'],
      ['/base', '/a', '/a', '/base'],
      ['/base', '/a/', '/a', '/base/'],
      ['/base', '/a/b', '/a', '/base/b'],
      ['/base/', '/a/b', '/a', '/base/b'],
      ['/base/', '/a', '/a', '/base'],
      ['/base', '/a/b', undefined, '/base/a/b'],
      ['/base/', '/a/b', undefined, '/base/a/b'],
      ['/base', '/', undefined, '/base'],
      ['/', '/', '/', '/'],
    ];
    for (const [base, path, matched, expected] of cases) {
      assert.equal(upstreamPath(base, path, matched), expected, `${base} + ${path} - ${matched}`);
    }
  });
});
