import type { Phase } from '../plugin/definition.js';

/** The letters by which {@link PdkMethod.phases} names phases. */
export const PHASE_LETTERS: Readonly<Record<Phase, string>> = {
  certificate: 'c',
  rewrite: 'r',
  access: 'a',
  response: 's',
  preread: 'p',
  log: 'l',
};

/** A function of the PDK as the `kong` object offers it. */
export interface PdkMethod {
  /** Position in {@link PDK_METHODS}, for tables beside it; -1 for a function that the table does not know. */
  readonly index: number;
  /** Where it is found on the `kong` object: `['request', 'getHeaders']`. */
  readonly path: readonly string[];
  /** What Kong calls it: `kong.request.get_headers`. */
  readonly wire: string;
  /**
   * - `value`: the caller waits for the answer;
   * - `void`: nothing comes back, so nothing is waited for;
   * - `exit`: Kong decides the response and the handler ends.
   */
  readonly kind: 'value' | 'void' | 'exit';
  /**
   * The phases in which Kong 3.9 performs it, one letter each: certificate, rewrite, access, response (`s`), preread,
   * log. Empty for functions that a plugin server can never use.
   */
  readonly phases: string;
}

/**
 * Every function that kong-pdk declares, and those that plugins use besides: by namespace, then by the phases in which
 * Kong performs them. An asterisk marks those without a result.
 *
 * The log phase runs in a timer on what Kong has saved of the request, and a certificate is chosen before there is a
 * request, so fewer functions work there than Kong's own phase checks would let pass.
 */
const DECLARED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '': { craspl: 'log*' },
  client: {
    rasp: 'getForwardedIp getForwardedPort getIp getPort',
    asl: `getConsumer getConsumerGroup getConsumerGroups getCredential`,
    as: 'getProtocol loadConsumer',
    a: `authenticate* authenticateConsumerGroupByConsumerId* setAuthenticatedConsumerGroup*
      setAuthenticatedConsumerGroups*`,
  },
  'client.tls': {
    c: 'disableSessionReuse requestClientCertificate',
    ras: 'getFullClientCertificateChain setClientVerify*',
  },
  cluster: { craspl: 'getId' },
  'ctx.shared': { craspl: 'get set*' },
  'enterpriseEdition.jwe': { craspl: 'decode decrypt encrypt' },
  ip: { craspl: 'isTrusted' },
  log: {
    craspl: 'alert* crit* debug* deprecation* err* info* inspect* notice* warn*',
    l: 'serialize',
    rasl: 'setSerializeValue*',
  },
  'log.inspect': { craspl: 'on* off*' },
  nginx: {
    craspl: 'getCtx setCtx* getStatistics getSubsystem',
    crasp: 'getTls1_versionStr',
    rasp: 'getVar',
    rasl: 'reqStartTime',
  },
  'nginx.shared': { craspl: 'get set*' },
  node: { craspl: 'getHostname getId getMemoryStats' },
  plugin: { craspl: 'getId' },
  request: {
    rasl: 'getHeader getHeaders getStartTime getUriCaptures',
    ras: `getBody getForwardedHost getForwardedPath getForwardedPort getForwardedPrefix getForwardedScheme getHost
      getHttpVersion getMethod getPath getPathWithQuery getQuery getQueryArg getRawBody getRawPath getRawQuery
      getScheme`,
    rasp: 'getPort',
  },
  response: {
    ras: 'addHeader* clearHeader* error setHeader* setHeaders* setStatus*',
    rasp: 'exit',
    sl: 'getHeader getHeaders getSource getStatus',
  },
  router: { asl: 'getRoute getService' },
  service: {
    a: 'setRetries* setTimeouts* setUpstream',
    rap: 'setTarget* setTlsVerify setTlsVerifyDepth*',
    '': 'setTargetRetryCallback*',
  },
  'service.request': {
    ra: `addHeader* clearHeader* enableBuffering* setBody setHeader* setHeaders* setMethod* setPath* setQuery*
      setRawBody* setRawQuery* setScheme*`,
    p: 'disableTls',
  },
  'service.response': { s: 'getBody getHeader getHeaders getRawBody getStatus' },
  telemetry: { craspl: 'log*' },
  vault: { craspl: 'flush* get initWorker* isReference parseReference update warmup*' },
};

const EXITS: ReadonlySet<string> = new Set(['kong.response.exit', 'kong.response.error']);

/** The table of the PDK: one row per function, the same for every protocol. */
export const PDK_METHODS: readonly PdkMethod[] = Object.entries(DECLARED)
  .flatMap(([namespace, byPhases]) =>
    Object.entries(byPhases).flatMap(([phases, names]) =>
      names.split(/\s+/).map((name) => ({ namespace, phases, name: name.replace('*', ''), marked: name })),
    ),
  )
  .map(({ namespace, phases, name, marked }, index): PdkMethod => {
    const path = namespace === '' ? [name] : [...namespace.split('.'), name];
    const wire = wireName(path);
    return { index, path, wire, kind: EXITS.has(wire) ? 'exit' : marked === name ? 'value' : 'void', phases };
  });

const BY_WIRE: ReadonlyMap<string, PdkMethod> = new Map(PDK_METHODS.map((method) => [method.wire, method]));

/** The function that Kong knows by a name such as `kong.request.get_header`; undefined when the table has none. */
export function methodNamed(wire: string): PdkMethod | undefined {
  return BY_WIRE.get(wire);
}

const GET_RAW_BODY = methodNamed('kong.request.get_raw_body') as PdkMethod;
const GET_BODY = methodNamed('kong.request.get_body') as PdkMethod;

/** `kong.request.get_raw_body`, answered with where the body lies where that is a file; not on the `kong` object. */
export const RAW_BODY_SOURCE: PdkMethod = { ...GET_RAW_BODY, index: PDK_METHODS.length };

/** Whether Kong receives the client's body before it answers: how long that takes is the client's doing. */
export function receivesBody(method: PdkMethod): boolean {
  return method === GET_RAW_BODY || method === RAW_BODY_SOURCE || method === GET_BODY;
}

/** A function that the table does not know, for protocols that carry any name. Its result is waited for. */
export function unknownMethod(path: readonly string[]): PdkMethod {
  const wire = wireName(path);
  return BY_WIRE.get(wire) ?? { index: -1, path, wire, kind: 'value', phases: '' };
}

/** camelCase to snake_case: a capital behind a small letter starts a new word. What has no capitals stays. */
export function snakeCase(name: string): string {
  return name.replace(/[a-z][A-Z]/g, (pair) => `${pair[0]}_${(pair[1] as string).toLowerCase()}`);
}

function wireName(path: readonly string[]): string {
  return `kong.${path.map(snakeCase).join('.')}`;
}
