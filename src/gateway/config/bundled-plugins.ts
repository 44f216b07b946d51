/** What `check` knows of a plugin that comes with Kong. */
export interface BundledPlugin {
  /** It cannot be configured for a consumer. */
  readonly noConsumer: boolean;
  /** It takes the protocols of HTTP only. */
  readonly httpOnly: boolean;
  /** Fields of its config that have to be given. */
  readonly required: readonly string[];
}

const bundled = (flags: string, ...required: string[]): BundledPlugin => ({
  noConsumer: flags.includes('c'),
  httpOnly: flags.includes('h'),
  required,
});

/**
 * Kong 3.9's bundled plugins. Of their configuration only the required fields are known here; `pre-function` and
 * `post-function`, which run in the local gateway, are elsewhere.
 */
export const BUNDLED_PLUGINS: ReadonlyMap<string, BundledPlugin> = new Map([
  ['acl', bundled('ch')],
  ['acme', bundled('ch', 'account_email')],
  ['ai-prompt-decorator', bundled('h')],
  ['ai-prompt-guard', bundled('h')],
  ['ai-prompt-template', bundled('h', 'templates')],
  ['ai-proxy', bundled('h', 'route_type')],
  ['ai-request-transformer', bundled('ch', 'prompt')],
  ['ai-response-transformer', bundled('h', 'prompt')],
  ['aws-lambda', bundled('h')],
  ['azure-functions', bundled('', 'appname', 'functionname')],
  ['basic-auth', bundled('ch')],
  ['bot-detection', bundled('ch')],
  ['correlation-id', bundled('h')],
  ['cors', bundled('ch')],
  ['datadog', bundled('')],
  ['file-log', bundled('', 'path')],
  ['grpc-gateway', bundled('')],
  ['grpc-web', bundled('')],
  ['hmac-auth', bundled('ch')],
  ['http-log', bundled('', 'http_endpoint')],
  ['ip-restriction', bundled('')],
  ['jwt', bundled('ch')],
  ['key-auth', bundled('ch')],
  ['ldap-auth', bundled('ch', 'ldap_host', 'base_dn', 'attribute')],
  ['loggly', bundled('', 'key')],
  ['oauth2', bundled('ch', 'provision_key')],
  ['opentelemetry', bundled('h')],
  ['prometheus', bundled('')],
  ['proxy-cache', bundled('', 'strategy')],
  ['rate-limiting', bundled('h')],
  ['redirect', bundled('h', 'location')],
  ['request-size-limiting', bundled('h')],
  ['request-termination', bundled('h')],
  ['request-transformer', bundled('')],
  ['response-ratelimiting', bundled('h', 'limits')],
  ['response-transformer', bundled('h')],
  ['session', bundled('c')],
  ['standard-webhooks', bundled('ch', 'secret_v1')],
  ['statsd', bundled('')],
  ['syslog', bundled('')],
  ['tcp-log', bundled('', 'host', 'port')],
  ['udp-log', bundled('', 'host', 'port')],
  ['zipkin', bundled('')],
]);
