import type { EntityCheck, SchemaField } from '../../plugin/definition.js';
import * as rules from './rules.js';

/** One kind of entity of Kong's declarative format, in the vocabulary of Kong's schemas. */
export interface EntityKind {
  readonly fields: Readonly<Record<string, SchemaField>>;
  readonly checks?: readonly EntityCheck[];
  /** The field that names an entity, in messages and in references. */
  readonly label: string;
  /** Fields that refer to another entity, and the kind of that. Each also lets this kind be nested in that one. */
  readonly references?: Readonly<Record<string, string>>;
  readonly required?: readonly string[];
  /** Fields whose values no two entities may share. */
  readonly unique?: readonly string[];
  /** What the id is made of when the file gives none. */
  readonly idFrom?: readonly string[];
  /** The local gateway does something with it. */
  readonly emulated?: true;
}

const text = (more: SchemaField = {}): SchemaField => ({ type: 'string', ...more });
const checked = (rule: rules.Rule, more: SchemaField = {}) => text({ custom_validator: rule, ...more });
const list = (elements: SchemaField, more: SchemaField = {}): SchemaField => ({
  type: 'array',
  elements,
  ...more,
});
const set = (elements: SchemaField, more: SchemaField = {}): SchemaField => ({
  type: 'set',
  elements,
  ...more,
});
const record = (fields: Record<string, SchemaField>, more: SchemaField = {}): SchemaField => ({
  type: 'record',
  fields: fieldList(fields),
  required: true,
  ...more,
});
const flag = (value: boolean): SchemaField => ({ type: 'boolean', required: true, default: value });
const integer = (low: number, high: number, more: SchemaField = {}): SchemaField => ({
  type: 'integer',
  between: [low, high],
  ...more,
});
const number = (low: number, high: number, more: SchemaField = {}): SchemaField => ({
  type: 'number',
  between: [low, high],
  ...more,
});

/** Fields as the validator takes them: a list of objects with one key each. */
export function fieldList(fields: Readonly<Record<string, SchemaField>>): SchemaField[] {
  return Object.entries(fields).map(([name, field]) => ({ [name]: field }));
}

const required = { required: true };
const uuid = text({ uuid: true });
const time: SchemaField = { type: 'integer', timestamp: true };
const tags = set(checked(rules.tag));
const port = integer(0, 65_535);
const millisecondsFrom1 = integer(1, 2 ** 31 - 2, { default: 60_000 });
const noEmptySegment = { match_none: [{ pattern: '//', err: 'must not have empty segments' }] };
const path = checked(rules.path, { starts_with: '/', ...noEmptySegment });
const anyRecord: SchemaField = { type: 'record', fields: [] };
const pem = { referenceable: true };

/** Every protocol a plugin or service may name; those of HTTP first. */
export const PROTOCOLS = ['http', 'https', 'grpc', 'grpcs', 'tcp', 'tls', 'udp', 'tls_passthrough'];

const COMMON = { id: uuid, created_at: time, updated_at: time, tags };
const when = (if_field: string, if_match: SchemaField, then_field: string, then_match: SchemaField) => ({
  conditional: { if_field, if_match, then_field, then_match },
});
const onlyOverTls = (field: string) =>
  when('protocol', { not_one_of: ['https', 'tls'] }, field, { eq: null });

const services: EntityKind = {
  fields: {
    ...COMMON,
    name: checked(rules.utf8Name),
    retries: integer(0, 32_767, { default: 5 }),
    protocol: text({ one_of: PROTOCOLS, required: true, default: 'http' }),
    host: checked(rules.host, required),
    port: integer(0, 65_535, { required: true, default: 80 }),
    path,
    connect_timeout: millisecondsFrom1,
    write_timeout: millisecondsFrom1,
    read_timeout: millisecondsFrom1,
    client_certificate: { type: 'foreign' },
    tls_verify: { type: 'boolean' },
    tls_verify_depth: integer(0, 64),
    ca_certificates: list(uuid),
    enabled: flag(true),
  },
  checks: [
    when('protocol', { one_of: ['tcp', 'tls', 'udp', 'grpc', 'grpcs'] }, 'path', { eq: null }),
    ...['client_certificate', 'tls_verify', 'tls_verify_depth', 'ca_certificates'].map(onlyOverTls),
  ],
  label: 'name',
  references: { client_certificate: 'certificates' },
  unique: ['name'],
  idFrom: ['name'],
  emulated: true,
};

const address = record(
  { ip: checked(rules.ipOrCidr), port },
  { entity_checks: [{ at_least_one_of: ['ip', 'port'] }] },
);

const routes: EntityKind = {
  fields: {
    ...COMMON,
    name: checked(rules.utf8Name),
    protocols: set(text({ one_of: PROTOCOLS }), {
      len_min: 1,
      required: true,
      default: ['http', 'https'],
      mutually_exclusive_subsets: [
        ['http', 'https'],
        ['tcp', 'tls', 'udp'],
        ['tls_passthrough'],
        ['grpc', 'grpcs'],
      ],
    }),
    https_redirect_status_code: {
      type: 'integer',
      one_of: [426, 301, 302, 307, 308],
      default: 426,
      required: true,
    },
    strip_path: flag(true),
    preserve_host: flag(false),
    request_buffering: flag(true),
    response_buffering: flag(true),
    service: { type: 'foreign' },
    snis: set(checked(rules.wildcardSni)),
    sources: set(address),
    destinations: set(address),
    methods: set(text({ match: '^%u+$' })),
    hosts: list(
      checked(rules.routeHost, {
        match_all: [{ pattern: '^[^*]*%*?[^*]*$', err: 'must have at most one wildcard' }],
        match_any: {
          patterns: ['^%*%.', '%.%*$', '^[^*]*$'],
          err: 'the wildcard must be the leftmost or rightmost label',
        },
      }),
    ),
    paths: list(
      checked(rules.routePath, {
        match_any: {
          patterns: ['^/', '^~/'],
          err: 'should start with: / (fixed path) or ~/ (regex path)',
        },
        ...noEmptySegment,
      }),
    ),
    headers: {
      type: 'map',
      keys: checked(rules.headerName, {
        match_none: [
          { pattern: '^[Hh][Oo][Ss][Tt]$', err: "cannot contain 'host', which belongs into hosts" },
        ],
      }),
      values: list(checked(rules.headerValue)),
    },
    regex_priority: { type: 'integer', default: 0 },
    path_handling: text({ default: 'v0', one_of: ['v0', 'v1'] }),
  },
  label: 'name',
  references: { service: 'services' },
  unique: ['name'],
  idFrom: ['name'],
  emulated: true,
};

/** What routes of a protocol may not set, and of which they need one. */
export const ROUTE_PROTOCOLS: Readonly<
  Record<string, { forbidden: readonly string[]; needsOneOf: readonly string[] }>
> = (() => {
  const http = {
    forbidden: ['sources', 'destinations'],
    needsOneOf: ['methods', 'hosts', 'headers', 'paths'],
  };
  const grpc = {
    forbidden: ['methods', 'sources', 'destinations'],
    needsOneOf: ['hosts', 'headers', 'paths'],
  };
  const stream = {
    forbidden: ['methods', 'hosts', 'paths', 'headers'],
    needsOneOf: ['sources', 'destinations', 'snis'],
  };
  const secured = <T extends { needsOneOf: string[] }>(rule: T) => ({
    ...rule,
    needsOneOf: [...rule.needsOneOf, 'snis'],
  });
  return {
    ...{ http, https: secured(http), grpc, grpcs: secured(grpc), tcp: stream, tls: stream, udp: stream },
    tls_passthrough: { ...stream, needsOneOf: ['snis'] },
  };
})();

const HASH_INPUTS = ['none', 'consumer', 'ip', 'header', 'cookie', 'path', 'query_arg', 'uri_capture'];
const statuses = (...values: number[]) => list(integer(100, 999), { default: values });
const counter = integer(0, 255, { default: 0 });
const interval = number(0, 65_535, { default: 0 });
const probe = text({ one_of: ['tcp', 'http', 'https', 'grpc', 'grpcs'], default: 'http' });
const failures = { tcp_failures: counter, timeouts: counter, http_failures: counter };
const headerLists: SchemaField = { type: 'map', keys: checked(rules.headerName), values: list(text()) };

const upstreams: EntityKind = {
  fields: {
    ...COMMON,
    name: checked(rules.upstreamName, required),
    algorithm: text({
      default: 'round-robin',
      one_of: ['consistent-hashing', 'least-connections', 'round-robin', 'latency'],
    }),
    hash_on: text({ default: 'none', one_of: HASH_INPUTS }),
    hash_fallback: text({ default: 'none', one_of: HASH_INPUTS }),
    hash_on_header: checked(rules.headerName),
    hash_fallback_header: checked(rules.headerName),
    hash_on_cookie: checked(rules.cookieName),
    hash_on_cookie_path: { ...path, default: '/' },
    hash_on_query_arg: text(),
    hash_fallback_query_arg: text(),
    hash_on_uri_capture: text(),
    hash_fallback_uri_capture: text(),
    slots: integer(10, 2 ** 16, { default: 10_000 }),
    healthchecks: record({
      active: record({
        type: probe,
        timeout: number(0, 65_535, { default: 1 }),
        concurrency: integer(1, 2 ** 31, { default: 10 }),
        http_path: { ...path, default: '/' },
        https_sni: checked(rules.sni),
        https_verify_certificate: flag(true),
        headers: headerLists,
        healthy: record({ interval, http_statuses: statuses(200, 302), successes: counter }),
        unhealthy: record({ interval, http_statuses: statuses(429, 404, 500), ...failures }),
      }),
      passive: record({
        type: probe,
        healthy: record({ http_statuses: statuses(200, 201), successes: counter }),
        unhealthy: record({ http_statuses: statuses(429, 500, 503), ...failures }),
      }),
      threshold: number(0, 100, { default: 0 }),
    }),
    host_header: checked(rules.hostWithPort),
    client_certificate: { type: 'foreign' },
    use_srv_name: { type: 'boolean', default: false },
  },
  checks: [
    ...['header', 'query_arg', 'uri_capture'].flatMap((input) => [
      ...['hash_on', 'hash_fallback'].map((field) =>
        when(field, { match: `^${input}$` }, `${field}_${input}`, required),
      ),
      { distinct: [`hash_on_${input}`, `hash_fallback_${input}`] },
    ]),
    when('hash_on', { match: '^cookie$' }, 'hash_on_cookie', required),
    when('hash_fallback', { match: '^cookie$' }, 'hash_on_cookie', required),
    ...['none', 'cookie'].map((input) =>
      when('hash_on', { match: `^${input}$` }, 'hash_fallback', { one_of: ['none'] }),
    ),
    ...['consumer', 'ip', 'path'].map((input) =>
      when('hash_on', { match: `^${input}$` }, 'hash_fallback', {
        one_of: HASH_INPUTS.filter((other) => other !== input),
      }),
    ),
  ],
  label: 'name',
  references: { client_certificate: 'certificates' },
  unique: ['name'],
  idFrom: ['name'],
  emulated: true,
};

/** A credential of a consumer; the field in `label` is unique when `unique` says so. */
const credential = (
  label: string,
  fields: EntityKind['fields'],
  more: Partial<EntityKind> = {},
): EntityKind => ({
  fields: { id: uuid, created_at: time, tags, consumer: { type: 'foreign' }, ...fields },
  label,
  references: { consumer: 'consumers' },
  required: ['consumer'],
  unique: [label],
  idFrom: [label],
  ...more,
});

const ASYMMETRIC = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'EdDSA'];
const ttl: SchemaField = { type: 'number' };

/** The kinds of entities that Kong 3.9 knows with its bundled plugins, by their key in the file. */
export const ENTITY_KINDS: Readonly<Record<string, EntityKind>> = {
  workspaces: {
    fields: {
      id: uuid,
      name: checked(rules.utf8Name, {
        required: true,
        not_one_of: ['services', 'routes', 'plugins', 'consumers'],
      }),
      comment: text(),
      created_at: time,
      updated_at: time,
      meta: anyRecord,
      config: anyRecord,
    },
    label: 'name',
    unique: ['name'],
  },
  certificates: {
    fields: {
      ...COMMON,
      cert: checked(rules.certificate, { required: true, ...pem }),
      key: checked(rules.privateKey, { required: true, ...pem }),
      cert_alt: checked(rules.certificate, pem),
      key_alt: checked(rules.privateKey, pem),
    },
    checks: [{ mutually_required: ['cert_alt', 'key_alt'] }],
    label: 'id',
  },
  snis: {
    fields: { ...COMMON, name: checked(rules.wildcardSni, required), certificate: { type: 'foreign' } },
    label: 'name',
    references: { certificate: 'certificates' },
    required: ['certificate'],
    unique: ['name'],
    idFrom: ['name'],
  },
  ca_certificates: {
    fields: { ...COMMON, cert: checked(rules.certificate, required), cert_digest: text() },
    label: 'id',
    unique: ['cert'],
  },
  services,
  routes,
  upstreams,
  targets: {
    fields: {
      ...COMMON,
      created_at: { type: 'number', timestamp: true },
      updated_at: { type: 'number', timestamp: true },
      upstream: { type: 'foreign' },
      target: checked(rules.target, required),
      weight: integer(0, 65_535, { default: 100 }),
    },
    label: 'target',
    references: { upstream: 'upstreams' },
    required: ['upstream'],
    idFrom: ['upstream', 'target'],
    emulated: true,
  },
  consumers: {
    fields: { ...COMMON, username: text(), custom_id: text() },
    checks: [{ at_least_one_of: ['custom_id', 'username'] }],
    label: 'username',
    unique: ['username', 'custom_id'],
    idFrom: ['username'],
    emulated: true,
  },
  plugins: {
    fields: {
      ...COMMON,
      name: text(required),
      instance_name: checked(rules.utf8Name),
      route: { type: 'foreign' },
      service: { type: 'foreign' },
      consumer: { type: 'foreign' },
      config: { type: 'record', required: true, fields: [] },
      protocols: set(text({ one_of: PROTOCOLS }), { required: true, default: PROTOCOLS.slice(0, 4) }),
      enabled: flag(true),
    },
    label: 'name',
    references: { route: 'routes', service: 'services', consumer: 'consumers' },
    unique: ['instance_name'],
    idFrom: ['name', 'route', 'service', 'consumer'],
    emulated: true,
  },
  vaults: {
    fields: {
      ...COMMON,
      prefix: text({ required: true, match: '^[a-z][a-z%d-]-[a-z%d]+$', not_one_of: ['env'] }),
      name: text({ required: true, one_of: ['env'], err: "only the vault 'env' is bundled" }),
      description: text(),
      config: { type: 'record', fields: fieldList({ prefix: text({ match: '^[%a_-][%a%d_-]*$' }) }) },
    },
    label: 'prefix',
    unique: ['prefix'],
    idFrom: ['prefix'],
  },
  key_sets: { fields: { ...COMMON, name: text() }, label: 'name', unique: ['name'], idFrom: ['name'] },
  keys: {
    fields: {
      ...COMMON,
      set: { type: 'foreign' },
      name: text(),
      kid: text(required),
      jwk: text(pem),
      pem: {
        type: 'record',
        fields: fieldList({ private_key: text(pem), public_key: text(pem) }),
        entity_checks: [{ at_least_one_of: ['private_key', 'public_key'] }],
      },
    },
    checks: [{ mutually_exclusive: ['jwk', 'pem'] }, { at_least_one_of: ['jwk', 'pem'] }],
    label: 'name',
    references: { set: 'key_sets' },
    unique: ['name'],
    idFrom: ['kid', 'set'],
  },
  parameters: {
    fields: { created_at: time, key: text(required), value: text(required) },
    label: 'key',
    unique: ['key'],
  },
  keyauth_credentials: credential('key', { key: text(), ttl }),
  basicauth_credentials: credential('username', { username: text(required), password: text(required) }),
  hmacauth_credentials: credential('username', { username: text(required), secret: text() }),
  jwt_secrets: credential(
    'key',
    {
      key: text(),
      secret: text(),
      rsa_public_key: text(),
      algorithm: text({
        default: 'HS256',
        one_of: ['HS256', 'HS384', 'HS512', ...ASYMMETRIC, 'ES256', 'ES384', 'ES512'],
      }),
    },
    {
      checks: [
        when(
          'algorithm',
          { match_any: { patterns: ASYMMETRIC.map((name) => `^${name}$`) } },
          'rsa_public_key',
          {
            required: true,
            custom_validator: rules.publicKey,
          },
        ),
      ],
    },
  ),
  acls: credential('group', { group: text(required) }, { unique: [], idFrom: ['consumer', 'group'] }),
  oauth2_credentials: credential('client_id', {
    name: text(required),
    client_id: text(),
    client_secret: text(),
    hash_secret: flag(false),
    redirect_uris: list(checked(rules.url)),
    client_type: text({ required: true, default: 'confidential', one_of: ['confidential', 'public'] }),
  }),
  oauth2_tokens: {
    fields: {
      id: uuid,
      created_at: time,
      ttl,
      service: { type: 'foreign' },
      credential: { type: 'foreign' },
      token_type: text({ required: true, default: 'bearer', one_of: ['bearer'] }),
      expires_in: { type: 'integer', required: true },
      access_token: text(),
      refresh_token: text(),
      authenticated_userid: text(),
      scope: text(),
    },
    label: 'access_token',
    references: { service: 'services', credential: 'oauth2_credentials' },
    required: ['credential'],
    unique: ['access_token', 'refresh_token'],
    idFrom: ['access_token'],
  },
};

/** Kinds that no file of a person's has, though Kong takes them: they are not looked into. */
export const UNCHECKED_KINDS = [
  ...['clustering_data_planes', 'filter_chains', 'oauth2_authorization_codes'],
  ...['ratelimiting_metrics', 'sessions'],
];

/** What belongs to other products, by its key at the top of the file. Kong 3.9's open source edition refuses it. */
export const FOREIGN_KEYS: Readonly<Record<string, string>> = {
  _info: "decK's, and no part of Kong's format",
  _konnect: "decK's, and no part of Kong's format",
  _plugin_configs: "decK's, and no part of Kong's format",
  _workspace: "decK's, and no part of Kong's format",
  consumer_groups: "Kong Enterprise's: Kong 3.9 itself does not have it",
  partials: "Kong Enterprise's: Kong 3.9 itself does not have it",
  consumer_group_plugins: "Kong Enterprise's: Kong 3.9 itself does not have it",
  rbac_roles: "Kong Enterprise's: Kong 3.9 itself does not have it",
};

/** The kinds that may be nested in a kind, each with the field that then refers to it. */
export const CHILDREN: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map(
  Object.keys(ENTITY_KINDS).map((parent) => [
    parent,
    new Map(
      Object.entries(ENTITY_KINDS).flatMap(([kind, { references = {} }]) =>
        Object.entries(references).flatMap(([field, to]): [string, string][] =>
          to === parent ? [[kind, field]] : [],
        ),
      ),
    ),
  ]),
);

/** Fields that stand for others, as Kong spells them out before it looks. */
export const SHORTHANDS: Readonly<
  Record<string, (entity: Record<string, unknown>) => Record<string, unknown>>
> = {
  services: ({ url, ...rest }) => (url === undefined || url === null ? rest : { ...rest, ...urlParts(url) }),
  upstreams: (entity) => {
    const { algorithm, hash_on } = entity;
    if (hash_on === null) return { ...entity, hash_on: 'none' };
    if (hash_on === 'none' && algorithm === undefined) return { ...entity, algorithm: 'round-robin' };
    return typeof hash_on === 'string' && hash_on !== 'none'
      ? { ...entity, algorithm: 'consistent-hashing' }
      : entity;
  },
};

/** A service's `url` as the fields it stands for, with the habits of Kong's parser: no `/`, no end of the host. */
function urlParts(url: unknown): Record<string, unknown> {
  if (typeof url !== 'string') return { url };
  const [, scheme, authority = '', rest = ''] =
    /^(?:([A-Za-z][\w+.-]*):)?(?:\/\/([^/]*))?(.*)/s.exec(url) ?? [];
  const [, host, digits] = /^(?:[^@]*@)?(\[[^\]]*\]|.*?)(?::([^:\]]*))?$/s.exec(authority) ?? [];
  const port = digits === undefined ? undefined : /^\d+$/.test(digits) ? Number(digits) : digits;
  const path = rest.replace(/[#?;].*/s, '');
  const protocol = scheme ?? (port === 443 ? 'https' : 'http');
  return {
    protocol,
    host: host === '' || host === undefined ? null : host.replace(/^\[|\]$/g, ''),
    port: port ?? (protocol === 'https' ? 443 : 80),
    path: path === '' ? null : path,
  };
}
