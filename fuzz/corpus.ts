import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const CAPTURES = join(import.meta.dirname, '../test/fixtures/kong-captures');

/** Everything recorded as hex from a real Kong, of one protocol: frames, messages, arguments, replies. */
export function corpus(protocol: 'protobuf' | 'msgpack'): Buffer[] {
  const found = new Set<string>();
  for (const file of readdirSync(join(CAPTURES, protocol), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.json')) continue;
    collect(JSON.parse(readFileSync(join(CAPTURES, protocol, file), 'utf8')), found);
  }
  return [...found].map((hex) => Buffer.from(hex, 'hex')).filter((bytes) => bytes.length > 0);
}

function collect(value: unknown, found: Set<string>): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    if (/hex$/i.test(name) && typeof member === 'string' && /^([0-9a-f]{2})+$/.test(member))
      found.add(member);
    else collect(member, found);
  }
}
