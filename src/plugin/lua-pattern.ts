/** Lua's character classes as the inside of a JavaScript bracket expression, for the C locale. */
const CLASSES: Readonly<Record<string, string>> = {
  a: 'A-Za-z',
  c: '\\x00-\\x1f\\x7f',
  d: '0-9',
  g: '\\x21-\\x7e',
  l: 'a-z',
  p: '\\x21-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7e',
  s: '\\x09-\\x0d\\x20',
  u: 'A-Z',
  w: 'A-Za-z0-9',
  x: '0-9A-Fa-f',
  z: '\\x00',
};

/** The complements, spelled out because a bracket expression cannot negate a part of itself. */
const COMPLEMENTS: Readonly<Record<string, string>> = {
  A: '\\x00-\\x40\\x5b-\\x60\\x7b-\\xff',
  C: '\\x20-\\x7e\\x80-\\xff',
  D: '\\x00-\\x2f\\x3a-\\xff',
  G: '\\x00-\\x20\\x7f-\\xff',
  L: '\\x00-\\x60\\x7b-\\xff',
  P: '\\x00-\\x20\\x30-\\x39\\x41-\\x5a\\x61-\\x7a\\x7f-\\xff',
  S: '\\x00-\\x08\\x0e-\\x1f\\x21-\\xff',
  U: '\\x00-\\x40\\x5b-\\xff',
  W: '\\x00-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\xff',
  X: '\\x00-\\x2f\\x3a-\\x40\\x47-\\x60\\x67-\\xff',
  Z: '\\x01-\\xff',
};

/**
 * Translates a Lua pattern into a regular expression over bytes (test it against a Latin-1 string of the UTF-8 bytes).
 *
 * Everything but `%b` has an equivalent. For `%b` and for malformed patterns the result is undefined.
 */
export function luaPatternToRegExp(pattern: string): RegExp | undefined {
  const bytes = Buffer.from(pattern, 'utf8').toString('latin1');
  let at = 0;
  let out = '';

  const escapedByte = (byte: string) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`;

  /** The inside of a bracket expression for `%x`. */
  const classOf = (letter: string) => CLASSES[letter] ?? COMPLEMENTS[letter] ?? escapedByte(letter);

  /** Reads `[...]`, `at` being behind the opening bracket; undefined when it never closes. */
  const readSet = (): string | undefined => {
    let set = '[';
    if (bytes[at] === '^') {
      set += '^';
      at += 1;
    }
    for (let first = true; first || bytes[at] !== ']'; first = false) {
      const byte = bytes[at++];
      if (byte === undefined) return undefined;
      const end = bytes[at + 1];
      if (byte === '%') {
        const letter = bytes[at++];
        if (letter === undefined) return undefined;
        set += classOf(letter);
      } else if (bytes[at] === '-' && end !== undefined && end !== ']') {
        // A range that runs backwards is empty in Lua and an error in JavaScript.
        if (byte <= end) set += `${escapedByte(byte)}-${escapedByte(end)}`;
        at += 2;
      } else {
        set += escapedByte(byte);
      }
    }
    at += 1;
    return `${set}]`;
  };

  const anchored = bytes[0] === '^';
  if (anchored) at = 1;
  while (at < bytes.length) {
    const byte = bytes[at++] as string;
    let item: string | undefined;
    if (byte === '(' || byte === ')') {
      out += byte;
      continue;
    }
    if (byte === '$' && at === bytes.length) {
      out += '$';
      continue;
    }
    if (byte === '%') {
      const letter = bytes[at++];
      if (letter === undefined || letter === 'b') return undefined;
      if (letter === 'f') {
        if (bytes[at++] !== '[') return undefined;
        const set = readSet();
        if (set === undefined) return undefined;
        // Lua takes the ends of the subject for a zero byte.
        const zeroIn = new RegExp(set).test('\0');
        out += zeroIn ? `(?<=[^])(?<!${set})(?=${set}|$)` : `(?<!${set})(?=${set})`;
        continue;
      }
      if (/[1-9]/.test(letter)) {
        out += `(?:\\${letter})`;
        continue;
      }
      item = `[${classOf(letter)}]`;
    } else if (byte === '[') {
      item = readSet();
      if (item === undefined) return undefined;
    } else {
      item = byte === '.' ? '[^]' : escapedByte(byte);
    }
    const quantifier = bytes[at];
    if (quantifier === '*' || quantifier === '+' || quantifier === '?' || quantifier === '-') {
      at += 1;
      item += quantifier === '-' ? '*?' : quantifier;
    }
    out += item;
  }
  try {
    return new RegExp(anchored ? `^${out}` : out);
  } catch {
    // Unbalanced parentheses and references to captures that do not exist are errors in Lua, too.
    return undefined;
  }
}
