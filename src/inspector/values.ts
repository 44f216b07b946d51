import type { LuaValue } from '../gateway/plugin-port.js';
import type { RecordedHeaders, RecordedValue } from './record.js';

const decoder = new TextDecoder('utf-8', { fatal: true });

/** A copy of a Lua value with its strings as text; of longer ones the beginning. */
export function recordedValue(value: LuaValue, limit: number): RecordedValue {
  if (typeof value === 'string') return recordedText(value, limit);
  if (Array.isArray(value)) return value.map((item) => recordedValue(item, limit));
  if (typeof value === 'object' && value !== null) {
    const copy: Record<string, RecordedValue> = {};
    for (const [key, item] of Object.entries(value)) {
      // Not an assignment: a key may be "__proto__".
      Object.defineProperty(copy, textOf(key), {
        value: recordedValue(item, limit),
        enumerable: true,
        writable: true,
        configurable: true,
      });
    }
    return copy;
  }
  return value;
}

/** Byte text (one char per byte) as text where it is UTF-8, else as bytes. */
function recordedText(bytes: string, limit: number): string | Buffer {
  const kept = bytes.length > limit ? bytes.slice(0, limit) : bytes;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
  if (/^[\x00-\x7f]*$/.test(kept)) return kept;
  const buffer = Buffer.from(kept, 'latin1');
  try {
    return decoder.decode(buffer);
  } catch {
    // The cut may have gone through a character; anything else is no text.
    return buffer;
  }
}

/** Byte text as text; bytes that are no UTF-8 stay one char each. */
export function textOf(bytes: string): string {
  const text = recordedText(bytes, Number.POSITIVE_INFINITY);
  return typeof text === 'string' ? text : bytes;
}

/** From name, value, name, value… */
export function headerPairs(raw: readonly string[]): RecordedHeaders {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) pairs.push([raw[i] as string, raw[i + 1] as string]);
  return pairs;
}
