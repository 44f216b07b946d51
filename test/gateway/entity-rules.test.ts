import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pluginCatalog } from '../../src/gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../../src/gateway/config/parse.js';
import { formatProblem } from '../../src/gateway/config/problems.js';

/** Files of one line each; `; ` begins another one. */
const REFUSED = String.raw`
services: [{ name: s, url: "http://x/a//b" }]
services: [{ name: s, url: "http://x/a b" }]
services: [{ name: s, url: "http://x/ü" }]
services: [{ name: a/b, url: "http://x" }]
services: [{ name: s, host: x, path: "/a//b" }]
services: [{ name: s, host: x, path: "/a b" }]
services: [{ name: s, host: "x:80" }]
services: [{ name: s, url: "http://x", tags: ["a,b"] }]
services: [{ name: s, url: "http://x", tags: ["a/b"] }]
services: [{ name: s, url: "http://x", tags: [""] }]
services: [{ name: s, url: "http://x", enabled: null }]
services: [{ name: s, url: "http://x", retries: -1 }]
services: [{ name: s, url: "http://x", retries: 32768 }]
services: [{ name: s, url: "http://x:70000" }]
services: [{ name: s, url: "ftp://x" }]
services: [{ name: s, host: x, connect_timeout: 0 }]
services: [{ name: s, host: x, connect_timeout: 1.5 }]
services: [{ name: "", host: x }]
services: [{ name: "a b", host: x }]
services: [{ name: s }]
services: [{ name: s, host: "" }]
services: [{ name: s, host: x, id: abc }]
services: [{ name: s, host: "[::1]:80" }]
routes: [{ name: r, paths: ["/a%20b"] }]
routes: [{ name: r, paths: ["/a%2fb"] }]
routes: [{ name: r, paths: ["/a%zz"] }]
routes: [{ name: r, paths: ["/a//b"] }]
routes: [{ name: r, paths: ["/a/../b"] }]
routes: [{ name: r, paths: ["/a/./b"] }]
routes: [{ name: r, paths: ["~"] }]
routes: [{ name: r, paths: ["//"] }]
routes: [{ name: r, paths: [""] }]
routes: [{ name: r, paths: ["a"] }]
routes: [{ name: r, paths: ["~a"] }]
routes: [{ name: r, paths: ["~^/a"] }]
routes: [{ name: r, paths: ["~/a(?!b)"] }]
routes: [{ name: r, paths: ["~/a(?<=b)"] }]
routes: [{ name: r, paths: ["~/(a)\\1"] }]
routes: [{ name: r, paths: ["~/a{b}"] }]
routes: [{ name: r, paths: ["~/\\q"] }]
routes: [{ name: r, paths: ["~/\\h"] }]
routes: [{ name: r, paths: ["~/a{1,100000}"] }]
routes: [{ name: r, paths: ["~/\\u0041"] }]
routes: [{ name: r, paths: ["~/(a"] }]
routes: [{ name: r, paths: ["~/[a"] }]
routes: [{ name: r, paths: ["~/a**"] }]
routes: [{ name: r, hosts: ["a:b"] }]
routes: [{ name: r, hosts: ["http://a"] }]
routes: [{ name: r, hosts: [""] }]
routes: [{ name: r, hosts: ["ü.de"] }]
routes: [{ name: r, hosts: ["a.*.b"] }]
routes: [{ name: r, hosts: ["*a.b"] }]
routes: [{ name: r, hosts: ["*.*"] }]
routes: [{ name: r, hosts: ["1.2.3.256"] }]
routes: [{ name: r, hosts: ["a/b"] }]
routes: [{ name: r, headers: { "a b": [c] } }]
routes: [{ name: r, headers: { x: ["~*a(?!b)"] } }]
routes: [{ name: r, headers: { host: [a] } }]
routes: [{ name: r, headers: { x: a } }]
routes: [{ name: r, paths: ["/a"], strip_path: null }]
routes: [{ name: "a b", paths: ["/a"] }]
routes: [{ name: r, methods: [get] }]
routes: [{ name: r, paths: [/a], protocols: [http, tcp] }]
routes: [{ name: r, paths: [/a], protocols: [] }]
routes: [{ name: r, paths: [/a], protocols: [ws] }]
routes: [{ name: r, paths: [/a], https_redirect_status_code: 303 }]
routes: [{ name: r, paths: [/a], path_handling: v2 }]
routes: [{ name: r, paths: [/a], regex_priority: a }]
routes: [{ name: r }]
plugins: [{ name: mark-a, config: null }]
plugins: [{ name: mark-a, config: a }]
plugins: [{ name: mark-a, instance_name: x }, { name: pre-function, instance_name: x, config: { access: ["return"] } }]
plugins: [{ name: mark-a, protocols: [foo] }]
plugins: [{ name: kinds, config: { need: n, ratio: .inf } }]
plugins: [{ name: kinds, config: { need: n, rec: null } }]
plugins: [{ name: kinds }]
plugins: [{ name: mark-a, enabled: null }]
plugins: [{ name: mark-a, ordering: { before: { access: [b] } } }]
plugins: [{ name: mark-a, condition: a }]
plugins: [{ name: pre-function, config: { access: ["x ="] } }]
plugins: [{ name: pre-function, config: { access: ["local a <const> = 5"] } }]
plugins: [{ name: pre-function, config: { access: ["local a = 5 & 2"] } }]
plugins: [{ name: pre-function, config: { access: [""] } }]
plugins: [{ name: pre-function, config: { access: ["local a = \"\\q\""] } }]
_info: { select_tags: [a] }
_info: {}
_konnect: { control_plane_name: a }
_plugin_configs: {}
_workspace: default
_defaults: {}
_comment: 5
_ignore: x
_transform: a
consumer_groups: [{ name: g }]
partials: [{ name: p, type: redis-ce, config: {} }]
licenses: [{ payload: a }]
rbac_users: []
foo: []
upstreams: [{ name: "a:1" }]
upstreams: [{ name: "1.2.3.4" }]
upstreams: [{ name: "http://a" }]
upstreams: [{ name: "a b" }]
upstreams: [{ name: "" }]
upstreams: [{ name: "a/b" }]
upstreams: [{ }]
upstreams: [{ name: u, slots: 5 }]
upstreams: [{ name: u, algorithm: random }]
upstreams: [{ name: u, hash_on: header }]
upstreams: [{ name: u, hash_on: cookie }]
upstreams: [{ name: u, hash_on: cookie, hash_on_cookie: a, hash_fallback: ip }]
upstreams: [{ name: u, targets: [{ target: "http://a" }] }]
upstreams: [{ name: u, targets: [{ target: "a b" }] }]
upstreams: [{ name: u, targets: [{ target: "a:80", weight: 70000 }] }]
targets: [{ target: "a:80" }]
consumers: [{ }]
consumers: [{ username: a }, { username: a }]
consumers: [{ username: a, groups: [{ name: g }] }]
keyauth_credentials: [{ key: a }]
consumers: [{ username: a, acls: [{ }] }]
consumers: [{ username: a, basicauth_credentials: [{ username: u }] }]
consumers: [{ username: a, mtls_auth_credentials: [{ subject_name: a }] }]
vaults: [{ name: env, prefix: env }]
vaults: [{ name: hcv, prefix: h }]
certificates: [{ cert: a, key: b }]
snis: [{ name: a.b }]
services: [{ name: s, url: "http://x", routes: { name: r } }]
services: { name: s, url: "http://x" }
services: [a]
services: [{ name: s, host: x, foo: 1 }]
services: [{ name: s, host: x, _tags: [a] }]
services: [{ name: s, host: x }]; routes: [{ name: r, paths: [/a], service: { name: s } }]
services: [{ name: s, host: x }]; routes: [{ name: r, paths: [/a], service: t }]`;

/** Their neighbours, which Kong takes. */
const ACCEPTED = `
services: [{ name: s, url: "http://x", port: 70000, protocol: ftp }]
services: [{ name: s, url: "http://x", tags: ["a b", "ü", "a:b"] }]
services: [{ name: s, url: "http://x", retries: null }]
services: [{ name: s.t_u-v~w, host: x }, { name: "ü", host: x }]
services: [{ name: s, host: "::1" }]
services: [{ name: s, url: "http://[::1]:80" }]
routes: [{ name: r, paths: ["/a b"] }]
routes: [{ name: r, paths: ["/a%2Fb"] }]
routes: [{ name: r, paths: ["~/"] }]
routes: [{ name: r, paths: ["/ü"] }]
routes: [{ name: r, paths: ["/a?b"] }]
routes: [{ name: r, paths: ["~/a(?i)b"] }]
routes: [{ name: r, paths: ["~/(?P<x>a)"] }]
routes: [{ name: r, hosts: ["*.a"] }]
routes: [{ name: r, hosts: ["a.*"] }]
routes: [{ name: r, hosts: ["*.a:80"] }]
routes: [{ name: r, hosts: ["A.b", "1.2.3.4", "[::1]:80"] }]
routes: [{ name: r, headers: { x: ["~*^a"] } }]
routes: [{ name: r, methods: [FOO] }]
plugins: [{ name: mark-a, protocols: [tcp] }]
_comment: a
_ignore: [x]
_transform: true
_transform: false
upstreams: [{ name: a.b }]
upstreams: [{ name: "a_b" }]
upstreams: [{ name: UP.Case }]
upstreams: [{ name: u, hash_on: header, hash_on_header: x }]
upstreams: [{ name: u, targets: [{ target: "a" }, { target: "1.2.3.4:5" }] }]
upstreams: [{ name: u }]; targets: [{ target: "a:80", upstream: u }]
consumers: [{ username: "a b" }]
consumers: [{ custom_id: "a" }]
consumers: [{ username: a, keyauth_credentials: [{ key: a }], basicauth_credentials: [{ username: u, password: p }], acls: [{ group: g }], hmacauth_credentials: [{ username: h, secret: s }], jwt_secrets: [{ key: k, secret: s }] }]
vaults: [{ name: env, prefix: my-env }]
services: []
services: null
services:
services: [{ name: s, host: x, _comment: a, _ignore: [b] }]
services: [{ name: s, host: x }]; routes: [{ name: r, paths: [/a], service: s }]`;

const catalog = pluginCatalog([
  { name: 'mark-a', priority: 5, phases: ['access'], schema: [] },
  {
    name: 'kinds',
    priority: 5,
    phases: ['access'],
    schema: [
      { need: { type: 'string', required: true } },
      { ratio: { type: 'number' } },
      { rec: { type: 'record', required: true, fields: [{ a: { type: 'string', default: 'x' } }] } },
    ],
  },
]);

describe('the rules of Kong 3.9 for entities', () => {
  for (const [verdict, lines] of [
    ['refused', REFUSED],
    ['accepted', ACCEPTED],
  ] as const) {
    for (const line of lines.trim().split('\n')) {
      it(`${verdict}: ${line}`, () => {
        const text = `_format_version: "3.0"\n${line.replaceAll('; ', '\n')}\n`;
        const { problems } = parseDeclarativeConfig(text, 'kong.yml', catalog);
        assert.equal(problems.length === 0, verdict === 'accepted', problems.map(formatProblem).join('\n'));
      });
    }
  }
});
