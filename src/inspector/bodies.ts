import { maskedText, maskedValue } from './masking.js';
import type { RecordedBody, RecordedValue } from './record.js';

/** A body as one can read it. */
export interface BodyText {
  readonly kind: 'empty' | 'json' | 'text' | 'hex';
  readonly text: string;
}

/** A body as text, JSON formatted, what is binary as hex; with `mask`, without the credentials that it names. */
export function bodyText({ content }: RecordedBody, mask = false): BodyText {
  if (content.length === 0) return { kind: 'empty', text: '' };
  const text = content.toString();
  // What a cut character leaves stands at the end.
  const cut = text.replace(/\uFFFD{1,3}$/, '');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what tells binary from text
  if (/[\x00-\x08\x0e-\x1f\uFFFD]/.test(cut)) return { kind: 'hex', text: hexDump(content) };
  try {
    const value = JSON.parse(text) as RecordedValue;
    return { kind: 'json', text: JSON.stringify(mask ? maskedValue(value) : value, undefined, 2) };
  } catch {
    // Not JSON, or not all of it: shown as it is, and fields are found by how they are written.
    return { kind: 'text', text: mask ? maskedText(cut) : cut };
  }
}

function hexDump(bytes: Buffer): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const hex = row.toString('hex').replace(/../g, '$& ').padEnd(48);
    const text = row.toString('latin1').replace(/[^\x20-\x7e]/g, '.');
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hex} ${text}`);
  }
  return lines.join('\n');
}
