import { hash } from 'node:crypto';
import { quoted } from 'kong-ts-pluginserver';
import { type SignedParts, SignedTextError, splitTarget } from './client/signed-text.js';
import type { VerificationConfig } from './config.js';
import { DatabaseUnavailableError, MalformedCustomerError, ReplayStoreError } from './errors.js';
import type { Credentials } from './headers.js';
import type { Customer } from './keys/customer.js';
import type { CustomerCache, Loaded } from './keys/customer-cache.js';
import { replaysRefused } from './metrics.js';
import { fingerprint, type ReplayStore } from './replay/replay-store.js';
import { equalInConstantTime, expectedSignature } from './signature.js';
import { isFresh, parseTime } from './signed-time.js';
import { failed, type Notice, type Refused, refusedClient, type Verdict } from './verdict.js';

/** The request as far as signatures are bound to it. The body is only asked for when everything else is in order. */
export interface BoundRequest {
  readonly method?: string | undefined;
  /** Path and query as the client sent them. */
  readonly target?: string | undefined;
  body(): Promise<Uint8Array>;
}

/** Decides whether a request comes from the customer it names. Knows nothing of Kong. */
export class Verifier {
  readonly #config: VerificationConfig;
  readonly #customers: CustomerCache;
  readonly #replays: ReplayStore | undefined;

  constructor(config: VerificationConfig, customers: CustomerCache, replays?: ReplayStore) {
    this.#config = config;
    this.#customers = customers;
    this.#replays = replays;
  }

  /** The verdict; rejects only for what nobody thought of. */
  async verify(credentials: Credentials, request: BoundRequest): Promise<Verdict> {
    const signedAt = parseTime(credentials.time);
    const untimely = this.#judgeTime(credentials, signedAt);
    if (untimely) return untimely;
    let loaded: Loaded;
    try {
      const remembered = this.#customers.peek(credentials.certificateId);
      loaded =
        remembered === undefined
          ? await this.#customers.load(credentials.certificateId)
          : { customer: remembered ?? undefined };
    } catch (error) {
      return this.#lookupFailed(credentials, error);
    }
    const { customer, stale } = loaded;
    const id = quoted(credentials.certificateId);
    if (!customer) return refusedClient('unknown_customer', `refused certificate ${id}: no such customer`);
    if (customer.revoked) return refusedClient('revoked', `refused certificate ${id}: revoked`);
    const refused = await this.#judgeSignature(customer, credentials, request);
    if (refused) return refused;
    const replay = await this.#judgeReplay(customer, credentials, signedAt);
    if (replay && 'verified' in replay) return replay;
    const notice = replay ?? (stale ? STALE : undefined);
    return notice ? { verified: true, uuid: customer.uuid, notice } : { verified: true, uuid: customer.uuid };
  }

  #judgeTime({ certificateId }: Credentials, signedAt: number | undefined): Refused | undefined {
    const { clockSkewMs } = this.#config;
    if (clockSkewMs === 0) return undefined;
    const id = quoted(certificateId);
    if (signedAt === undefined)
      return refusedClient('bad_time', `refused certificate ${id}: its time is in no known form`);
    if (isFresh(signedAt, Date.now(), clockSkewMs)) return undefined;
    return refusedClient(
      'stale_time',
      `refused certificate ${id}: its time is off by more than ${clockSkewMs / 1000} s`,
    );
  }

  #lookupFailed({ certificateId }: Credentials, error: unknown): Refused {
    if (error instanceof DatabaseUnavailableError) {
      const subject = `database_${error.trouble}`;
      return failed(this.#config.errorStatus, 'database_unavailable', error.message, subject);
    }
    if (error instanceof MalformedCustomerError) {
      return failed(
        403,
        'malformed_customer',
        `the customer row of ${quoted(certificateId)}: ${error.message}`,
      );
    }
    throw error;
  }

  async #judgeSignature(
    customer: Customer,
    credentials: Credentials,
    request: BoundRequest,
  ): Promise<Refused | undefined> {
    const { algorithm, bind } = this.#config;
    const id = quoted(credentials.certificateId);
    const now = Date.now();
    const keys = customer.keys.filter(({ notBefore, notAfter }) => notBefore <= now && now <= notAfter);
    if (keys.length === 0)
      return refusedClient('no_valid_key', `refused certificate ${id}: none of its keys is valid now`);
    const parts = bind.length === 0 ? credentials : await this.#boundParts(credentials, request);
    try {
      // Every key is tried, so that the time taken does not tell which one was right.
      let good = false;
      for (const { key } of keys) {
        const expected = expectedSignature(parts, key, algorithm, bind);
        good = equalInConstantTime(expected, credentials.signature) || good;
      }
      return good ? undefined : refusedClient('bad_signature', `refused certificate ${id}: bad signature`);
    } catch (error) {
      if (error instanceof SignedTextError) {
        return refusedClient('unsignable', `refused certificate ${id}: ${error.message}`);
      }
      throw error;
    }
  }

  async #boundParts(credentials: Credentials, request: BoundRequest): Promise<SignedParts> {
    const target = request.target === undefined ? {} : splitTarget(request.target);
    const bodySha256 = this.#config.bind.includes('body') ? hash('sha256', await request.body()) : undefined;
    return { ...credentials, ...target, method: request.method, bodySha256 };
  }

  /** A refusal, a notice about a check that was waived, or nothing. */
  async #judgeReplay(
    { uuid }: Customer,
    { certificateId, signature }: Credentials,
    signedAt: number | undefined,
  ): Promise<Refused | Notice | undefined> {
    if (!this.#replays || signedAt === undefined) return undefined;
    try {
      const claimed = await this.#replays.claim(fingerprint(certificateId, signature), signedAt, uuid);
      if (claimed) return undefined;
      replaysRefused.inc();
      return refusedClient(
        'replayed',
        `refused certificate ${quoted(certificateId)}: its signature was used before`,
      );
    } catch (error) {
      if (!(error instanceof ReplayStoreError)) throw error;
      if (this.#config.replayOnError === 'refuse') {
        return failed(this.#config.errorStatus, 'replay_store_unavailable', error.message);
      }
      const message = `accepted without a replay check, as replay_on_error says: ${error.message}`;
      return { severity: 'err', subject: 'replay_store_unavailable', message };
    }
  }
}

const STALE: Notice = {
  severity: 'err',
  subject: 'stale_customer',
  message: 'the database does not answer: customers are verified by what it said last',
};
