import { hash } from 'node:crypto';

/** Remembers which signatures were used. */
export interface ReplayStore {
  /**
   * Takes the signature for this request: true the first time, false when it was taken before.
   *
   * False, too, when the store cannot know any more: a signature that was good under a smaller clock skew may have been
   * used and forgotten before this one was asked for.
   *
   * @param signedAt the time that the client signed, Unix milliseconds.
   * @param customer whose signature it is.
   * @throws {ReplayStoreError} when the store cannot say.
   */
  claim(fingerprint: string, signedAt: number, customer: string): boolean | Promise<boolean>;
  /** Makes the store remember signatures for as long as an instance with this clock skew would accept them. */
  retain(clockSkewMs: number): void;
  close(): void;
}

/** What a store remembers of a verified signature: short, and of no use to whoever reads the store. */
export function fingerprint(certificateId: string, signature: string): string {
  return hash('sha256', `${certificateId}|${signature}`, 'base64url').slice(0, 32);
}
