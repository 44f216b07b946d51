import { STATUS_CODES } from 'node:http';
import { type Kong, PdkError, type Share } from 'kong-ts-pluginserver';
import { parseConfig, type VerificationConfig } from './config.js';
import { authenticateAs, findConsumer } from './consumer.js';
import { readEnvironment } from './environment.js';
import { announcedLength, type HeaderMap, readCredentials } from './headers.js';
import { IdentityHeaders, MAX_HEADERS, type Survey } from './identity-headers.js';
import { type KeyStore, openKeyStore } from './keys/key-store.js';
import { results } from './metrics.js';
import { openReplayStore } from './replay/open-store.js';
import type { ReplayStore } from './replay/replay-store.js';
import { report } from './report.js';
import { bodySha256 } from './request-body.js';
import {
  BODY_TOO_LARGE,
  failed,
  type Refused,
  refusedClient,
  type Verdict,
  type Verified,
} from './verdict.js';
import { type BoundRequest, Verifier } from './verifier.js';

const JSON_HEADERS = { 'Content-Type': 'application/json; charset=utf-8' };
const MESSAGES = new Map([
  [400, 'Invalid Headers'],
  [403, 'Access Forbidden'],
]);
const BODIES = new Map(Array.from(MESSAGES, ([status, message]) => [status, JSON.stringify({ message })]));
const WRONG_HEADERS = refusedClient('invalid_headers');
const DROPPED = refusedClient(
  'invalid_headers',
  'refused a request whose Connection header would have removed the customer from it',
);

/**
 * Lets a request through when it carries the signature of a customer in the database, and tells the upstream who
 * that is. Everything else is refused, whatever went wrong.
 */
export class Plugin {
  readonly #config: VerificationConfig;
  readonly #keys: KeyStore;
  readonly #replays: Share<ReplayStore> | undefined;
  readonly #verifier: Verifier;
  readonly #identity: IdentityHeaders;

  /** @throws {ConfigurationError} naming the field that cannot work. */
  constructor(raw: Record<string, unknown>) {
    this.#config = parseConfig(raw);
    this.#identity = new IdentityHeaders(this.#config.identityHeaders);
    const { environment, warning } = readEnvironment();
    if (warning) report.inBackground('warn', 'environment_file', warning);
    this.#replays = openReplayStore(this.#config, environment);
    this.#keys = openKeyStore(environment, this.#config.cache);
    this.#verifier = new Verifier(this.#config, this.#keys.customers, this.#replays?.value);
  }

  async access(kong: Kong): Promise<void> {
    let verdict: Verdict;
    let survey: Survey | undefined;
    try {
      const { headers, request } = await this.#read(kong);
      survey = this.#identity.survey(headers);
      if (survey.dropped) verdict = DROPPED;
      else verdict = survey.complete ? await this.#judge(kong, headers, request) : WRONG_HEADERS;
    } catch (error) {
      // What a PDK call says of its failure holds nothing of the request's.
      const what = error instanceof PdkError ? error.message : `an unexpected ${nameOf(error)}`;
      verdict = failed(403, 'error', `refused a request because of ${what}`);
    }
    // Outside the try: ending the request is done by throwing.
    if (report.pending) await report.flush(kong);
    if (verdict.notice) {
      await report.inEvent(kong, verdict.notice.severity, verdict.notice.subject, verdict.notice.message);
    }
    results.inc({ result: verdict.verified ? 'verified' : verdict.reason });
    await (verdict.verified
      ? this.#accept(kong, verdict, survey?.sent ?? [])
      : refuse(kong, verdict, survey?.grpc === true));
  }

  /** Called when Kong closes the instance, or when it has been idle for long. */
  close(): void {
    this.#keys.close();
    this.#replays?.release();
  }

  /** Everything that Kong is asked for, in one round trip; the body in a second one, where it is bound. */
  async #read(kong: Kong): Promise<{ headers: HeaderMap; request: BoundRequest }> {
    const { bind } = this.#config;
    const body = () => bodySha256(kong, this.#config.maxBodyBytes);
    // The default asks for nothing else, and a stock server cannot take two calls at once.
    if (bind.length === 0)
      return { headers: await kong.request.getHeaders(MAX_HEADERS), request: { bodySha256: body } };
    const [headers, method, target] = await Promise.all([
      kong.request.getHeaders(MAX_HEADERS),
      bind.includes('method') ? kong.request.getMethod() : undefined,
      bind.includes('path') || bind.includes('query') ? kong.request.getPathWithQuery() : undefined,
    ]);
    return { headers, request: { method, target, bodySha256: body } };
  }

  async #judge(kong: Kong, headers: HeaderMap, request: BoundRequest): Promise<Verdict> {
    const credentials = readCredentials(headers, this.#config.headers);
    if (!credentials) return WRONG_HEADERS;
    const { bind, maxBodyBytes } = this.#config;
    // Before Kong is asked for the body: it would receive all of it first.
    if (bind.includes('body') && announcedLength(headers) > maxBodyBytes) return BODY_TOO_LARGE;
    const verdict = await this.#verifier.verify(credentials, request);
    if (!verdict.verified || this.#config.consumer === 'none') return verdict;
    const found = await findConsumer(kong, verdict.uuid);
    return 'refused' in found ? found.refused : { ...verdict, consumer: found.consumer };
  }

  // No call in here waits for Kong: they leave in one write with the end of the event.
  async #accept(kong: Kong, { uuid, consumer }: Verified, sent: readonly string[]): Promise<void> {
    const { request } = kong.service;
    for (const name of sent) await request.clearHeader(name);
    // Replaces whatever the client sent under this name.
    await request.setHeader('X-Customer-Id', uuid);
    if (this.#config.hideCredentials) {
      for (const name of Object.values(this.#config.headers)) await request.clearHeader(name);
    }
    if (consumer) await authenticateAs(kong, consumer);
    await kong.ctx.shared.set('customer_verified', uuid);
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

function refuse(kong: Kong, { status }: Refused, grpc: boolean): Promise<never> {
  const message = MESSAGES.get(status) ?? STATUS_CODES[status] ?? 'Access Forbidden';
  // What an object becomes on a gRPC request Kong is asked for; text for everybody else leaves at once.
  if (grpc) return kong.response.exit(status, { message });
  return kong.response.exit(status, BODIES.get(status) ?? JSON.stringify({ message }), JSON_HEADERS);
}
