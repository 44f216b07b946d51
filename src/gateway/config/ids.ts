import { createHash } from 'node:crypto';

/** The namespace that Kong derives the ids of a declarative config from. */
const NAMESPACE = 'fd02801f-0957-4a15-a55a-c8d9606f30b5';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** The id that Kong gives an entity: the same name gets the same id in every run. */
export function deriveId(kind: string, name: string): string {
  return uuidV5(uuidV5(NAMESPACE, kind), name);
}

/** RFC 9562 §5.5. */
export function uuidV5(namespace: string, name: string): string {
  const hash = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name)
    .digest();
  hash[6] = ((hash[6] as number) & 0x0f) | 0x50;
  hash[8] = ((hash[8] as number) & 0x3f) | 0x80;
  const hex = hash.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  );
}
