import { COMPOSED, type Composed } from './composed.js';

/** A function of the PDK as the `kong` object offers it. */
export interface PdkMethod {
  /** Position in {@link PDK_METHODS}, for tables beside it. */
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
  /** Builds the function from others, for protocols that do not carry it. */
  readonly composed?: Composed;
}

/** Every function that kong-pdk declares, by namespace. An asterisk marks those without a result. */
const DECLARED: Record<string, string> = {
  client: `authenticate* authenticateConsumerGroupByConsumerId* getConsumer getConsumerGroup getConsumerGroups
    getCredential getForwardedIp getForwardedPort getIp getPort getProtocol loadConsumer
    setAuthenticatedConsumerGroup* setAuthenticatedConsumerGroups*`,
  'client.tls': 'disableSessionReuse getFullClientCertificateChain requestClientCertificate setClientVerify*',
  cluster: 'getId',
  'ctx.shared': 'get set*',
  'enterpriseEdition.jwe': 'decode decrypt encrypt',
  ip: 'isTrusted',
  log: 'alert* crit* debug* deprecation* err* info* notice* serialize setSerializeValue* warn*',
  nginx: 'getCtx getStatistics getSubsystem getTls1_versionStr getVar reqStartTime setCtx*',
  'nginx.shared': 'get set*',
  node: 'getHostname getId getMemoryStats',
  plugin: 'getId',
  request: `getBody getForwardedHost getForwardedPath getForwardedPort getForwardedPrefix getForwardedScheme getHeader
    getHeaders getHost getHttpVersion getMethod getPath getPathWithQuery getPort getQuery getQueryArg getRawBody
    getRawPath getRawQuery getScheme getStartTime getUriCaptures`,
  response: `addHeader* clearHeader* error exit getHeader getHeaders getSource getStatus setHeader* setHeaders*
    setStatus*`,
  router: 'getRoute getService',
  service: `setRetries* setTarget* setTargetRetryCallback* setTimeouts* setTlsVerify setTlsVerifyDepth* setUpstream`,
  'service.request': `addHeader* clearHeader* disableTls enableBuffering* setBody setHeader* setHeaders* setMethod*
    setPath* setQuery* setRawBody* setRawQuery* setScheme*`,
  'service.response': 'getBody getHeader getHeaders getRawBody getStatus',
  telemetry: 'log*',
  vault: 'flush* get initWorker* isReference parseReference update warmup*',
};

const EXITS: ReadonlySet<string> = new Set(['kong.response.exit', 'kong.response.error']);

/** The table of the PDK: one row per function, the same for every protocol. */
export const PDK_METHODS: readonly PdkMethod[] = Object.entries(DECLARED)
  .flatMap(([namespace, names]) =>
    names
      .split(/\s+/)
      .map((name) => ({ namespace, name: name.replace('*', ''), isVoid: name.endsWith('*') })),
  )
  .map(({ namespace, name, isVoid }, index): PdkMethod => {
    const path = [...namespace.split('.'), name];
    const wire = `kong.${path.map(wireName).join('.')}`;
    const composed = COMPOSED.get(wire);
    return {
      index,
      path,
      wire,
      kind: EXITS.has(wire) ? 'exit' : isVoid ? 'void' : 'value',
      ...(composed === undefined ? {} : { composed }),
    };
  });

/** camelCase to snake_case: a capital behind a small letter starts a new word. */
function wireName(name: string): string {
  return name.replace(/[a-z][A-Z]/g, (pair) => `${pair[0]}_${(pair[1] as string).toLowerCase()}`);
}
