import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { type Algorithm, type Bindable, type SignedParts, signedText } from './client/signed-text.js';

/** The signature that the holder of `key` would send: lower-case hex. Throws SignedTextError as `signedText` does. */
export function expectedSignature(
  parts: SignedParts,
  key: string,
  algorithm: Algorithm,
  bind: readonly Bindable[],
): string {
  const text = signedText(parts, key, algorithm, bind);
  switch (algorithm) {
    case 'sha256':
      return hash('sha256', text, 'hex');
    case 'hmac-sha256':
      return createHmac('sha256', key).update(text).digest('hex');
    case 'hmac-sha512':
      return createHmac('sha512', key).update(text).digest('hex');
  }
}

/** Whether two texts are equal, in a time that does not depend on where they differ. */
export function equalInConstantTime(expected: string, given: string): boolean {
  const a = Buffer.from(expected);
  const b = Buffer.from(given);
  return a.length === b.length && timingSafeEqual(a, b);
}
