import { createHash } from 'node:crypto';

/** RFC 9562 namespace of the ids this gateway derives; a constant of its own, so ids differ from a real Kong's. */
const NAMESPACE = Buffer.from('6f1a4b0e9d5c4e53b2a7c80d4b7f2e11', 'hex');

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** A version 5 UUID of an entity: the same name gets the same id in every run. */
export function deriveId(kind: string, name: string): string {
  const hash = createHash('sha1').update(NAMESPACE).update(`${kind}:${name}`).digest();
  hash[6] = ((hash[6] as number) & 0x0f) | 0x50;
  hash[8] = ((hash[8] as number) & 0x3f) | 0x80;
  const hex = hash.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  );
}
