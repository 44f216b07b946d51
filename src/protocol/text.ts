import { isUtf8 } from 'node:buffer';

/** Keys up to this many bytes are kept for the next message; longer ones are rare and decoded afresh. */
const MAX_CACHED_KEY_BYTES = 40;
const CACHE_SLOTS = 1024;

/** The slicing methods of Buffer that take no encoding name: they skip a lookup in a place that is passed often. */
interface Slices {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
}

const cachedKeys: (string | undefined)[] = new Array(CACHE_SLOTS).fill(undefined);

/**
 * Decodes text of the wire: a ProtoBuf `string`, a MessagePack str.
 *
 * Kong passes header and query bytes through as they came, so a `string` is not always valid UTF-8. Valid UTF-8 is
 * decoded as such; anything else as Latin-1 (one character per byte), which loses nothing.
 */
export function decodeText(bytes: Buffer, start: number, end: number): string {
  const slices = bytes as Buffer & Slices;
  if (isAscii(bytes, start, end)) return slices.latin1Slice(start, end);
  return isUtf8(bytes.subarray(start, end)) ? slices.utf8Slice(start, end) : slices.latin1Slice(start, end);
}

/**
 * Like {@link decodeText}, for map keys: header and argument names repeat from request to request, and a string that
 * is already known to the engine makes a cheaper property key than a fresh one.
 */
export function decodeKey(bytes: Buffer, start: number, end: number): string {
  const length = end - start;
  if (length > MAX_CACHED_KEY_BYTES) return decodeText(bytes, start, end);
  if (length === 0) return '';
  // Names of one request differ in length, in the middle or at their ends.
  const ends = ((bytes[start] as number) << 5) ^ ((bytes[end - 1] as number) << 2);
  const inside = (bytes[start + (length >> 1)] as number) ^ ((bytes[start + (length >> 2)] as number) << 4);
  const slot = (length * 37 + ends + inside) & (CACHE_SLOTS - 1);
  const cached = cachedKeys[slot];
  if (cached !== undefined && cached.length === length && sameBytes(cached, bytes, start)) return cached;
  const text = decodeText(bytes, start, end);
  if (text.length === length) cachedKeys[slot] = text;
  return text;
}

/** Only pure ASCII compares equal, so that Latin-1 and UTF-8 spellings of one text are never taken for each other. */
function sameBytes(text: string, bytes: Buffer, start: number): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code !== bytes[start + i] || code > 0x7f) return false;
  }
  return true;
}

function isAscii(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    if ((bytes[i] as number) > 0x7f) return false;
  }
  return true;
}
