import { randomBytes } from 'node:crypto';
import { quoted } from 'kong-ts-pluginserver';
import { type SignedParts, SignedTextError, splitTarget } from './client/signed-text.js';
import type { VerificationConfig } from './config.js';
import {
  BodyTooLargeError,
  DatabaseUnavailableError,
  MalformedCustomerError,
  ReplayStoreError,
} from './errors.js';
import type { Credentials } from './headers.js';
import type { Customer, SigningKey } from './keys/customer.js';
import type { CustomerCache, Loaded } from './keys/customer-cache.js';
import { replaysRefused } from './metrics.js';
import { fingerprint, type ReplayStore } from './replay/replay-store.js';
import { equalInConstantTime, expectedSignature } from './signature.js';
import { isFresh, parseTime } from './signed-time.js';
import { BODY_TOO_LARGE, failed, type Notice, type Refused, refusedClient, type Verdict } from './verdict.js';

/** The request as far as signatures are bound to it. */
export interface BoundRequest {
  readonly method?: string | undefined;
  /** Path and query as the client sent them. */
  readonly target?: string | undefined;
  /**
   * Lower-case hex SHA-256 of the body; only asked for where signatures are bound to it.
   *
   * @throws {BodyTooLargeError}
   */
  bodySha256(): Promise<string>;
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

  /**
   * The verdict; rejects only for what nobody thought of. A customer who is unknown takes the same way as one who is
   * known, up to a signature with a key that nobody has: nothing but the verdict tells the two apart.
   */
  async verify(credentials: Credentials, request: BoundRequest): Promise<Verdict> {
    const signedAt = parseTime(credentials.time);
    const untimely = this.#judgeTime(credentials, signedAt);
    if (untimely) return untimely;
    // Nothing is waited for that is there: most requests are verified within one turn of the event loop.
    const remembered = this.#customers.peek(credentials.certificateId);
    const found =
      remembered === undefined
        ? await this.#load(credentials)
        : this.#judgeCustomer(credentials, remembered, false);
    let parts: SignedParts = credentials;
    if (this.#config.bind.length > 0) {
      try {
        parts = await this.#boundParts(credentials, request);
      } catch (error) {
        if (error instanceof BodyTooLargeError) return BODY_TOO_LARGE;
        throw error;
      }
    }
    const refused = this.#judgeSignature('customer' in found ? found.keys : NO_KEYS, parts, credentials);
    if ('verified' in found) return found;
    if (refused) return refused;
    const { customer, stale } = found;
    const replay = this.#replays && (await this.#judgeReplay(this.#replays, customer, credentials, signedAt));
    if (replay && 'verified' in replay) return replay;
    const notice = replay ?? (stale ? STALE : undefined);
    return notice ? { verified: true, uuid: customer.uuid, notice } : { verified: true, uuid: customer.uuid };
  }

  async #load(credentials: Credentials): Promise<Found | Refused> {
    let loaded: Loaded;
    try {
      loaded = await this.#customers.load(credentials.certificateId);
    } catch (error) {
      return this.#lookupFailed(credentials, error);
    }
    return this.#judgeCustomer(credentials, loaded.customer ?? null, loaded.stale === true);
  }

  /** The customer and the keys that are valid now, or why there are none. */
  #judgeCustomer({ certificateId }: Credentials, customer: Customer | null, stale: boolean): Found | Refused {
    if (customer && !customer.revoked) {
      const now = Date.now();
      const keys = customer.keys.filter(({ notBefore, notAfter }) => notBefore <= now && now <= notAfter);
      if (keys.length > 0) return { customer, keys, stale };
    }
    const id = quoted(certificateId);
    if (!customer) return refusedClient('unknown_customer', `refused certificate ${id}: no such customer`);
    if (customer.revoked) return refusedClient('revoked', `refused certificate ${id}: revoked`);
    return refusedClient('no_valid_key', `refused certificate ${id}: none of its keys is valid now`);
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

  #judgeSignature(
    keys: readonly SigningKey[],
    parts: SignedParts,
    { certificateId, signature }: Credentials,
  ): Refused | undefined {
    const { algorithm, bind } = this.#config;
    try {
      // Every key is tried, so that the time taken does not tell which one was right.
      let good = false;
      for (const { key } of keys) {
        const expected = expectedSignature(parts, key, algorithm, bind);
        good = equalInConstantTime(expected, signature) || good;
      }
      if (good) return undefined;
      return refusedClient('bad_signature', `refused certificate ${quoted(certificateId)}: bad signature`);
    } catch (error) {
      if (!(error instanceof SignedTextError)) throw error;
      return refusedClient('unsignable', `refused certificate ${quoted(certificateId)}: ${error.message}`);
    }
  }

  async #boundParts(credentials: Credentials, request: BoundRequest): Promise<SignedParts> {
    const target = request.target === undefined ? {} : splitTarget(request.target);
    const bodySha256 = this.#config.bind.includes('body') ? await request.bodySha256() : undefined;
    return { ...credentials, ...target, method: request.method, bodySha256 };
  }

  /** A refusal, a notice about a check that was waived, or nothing. */
  async #judgeReplay(
    replays: ReplayStore,
    { uuid }: Customer,
    { certificateId, signature }: Credentials,
    signedAt: number | undefined,
  ): Promise<Refused | Notice | undefined> {
    if (signedAt === undefined) return undefined;
    try {
      const claimed = await replays.claim(fingerprint(certificateId, signature), signedAt, uuid);
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

interface Found {
  readonly customer: Customer;
  readonly keys: readonly SigningKey[];
  readonly stale: boolean;
}

/** In place of the keys of somebody who has none. */
const NO_KEYS: readonly SigningKey[] = [
  { key: randomBytes(32).toString('hex'), notBefore: -Infinity, notAfter: Infinity },
];

const STALE: Notice = {
  severity: 'err',
  subject: 'stale_customer',
  message: 'the database does not answer: customers are verified by what it said last',
};
