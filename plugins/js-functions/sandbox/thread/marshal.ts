/** Deeper values than this are refused: codecs walk them recursively. */
const MOST_DEPTH = 64;
/** More values than this in the arguments of one call are refused: the thread that talks to Kong takes them over. */
const MOST_VALUES = 50_000;

/** Arguments that guest code handed over and that cannot be taken. */
export class MarshalError extends Error {
  readonly code = 'JS_ARGUMENT';
}

/**
 * The arguments of a call as the host uses them: from JSON text, with bytes put in where they were left out.
 *
 * @param json an array
 * @param buffers pairs of a position and the bytes that stand there
 * @throws MarshalError for text that is no array, too deep or too many values, and the key `__proto__`
 */
export function readArguments(json: string, buffers: readonly (readonly [number, Uint8Array])[]): unknown[] {
  let args: unknown;
  try {
    args = JSON.parse(json);
  } catch {
    throw new MarshalError('the arguments could not be read');
  }
  if (!Array.isArray(args)) throw new MarshalError('the arguments could not be read');
  checkShape(args, json.includes('__proto__'));
  for (const [index, bytes] of buffers) args[index] = bytes;
  return args;
}

function checkShape(root: unknown[], lookAtKeys: boolean): void {
  let level: object[] = [root];
  let count = 0;
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MOST_DEPTH) throw new MarshalError(`an argument is nested more than ${MOST_DEPTH} deep`);
    const next: object[] = [];
    for (const value of level) {
      if (lookAtKeys && Object.hasOwn(value, '__proto__')) {
        throw new MarshalError('an argument has the key __proto__');
      }
      const items = Object.values(value);
      count += items.length;
      if (count > MOST_VALUES) throw new MarshalError(`the arguments hold more than ${MOST_VALUES} values`);
      for (const item of items) {
        if (typeof item === 'object' && item !== null) next.push(item);
      }
    }
    level = next;
  }
}

/** One answer to guest code. */
export interface Answer {
  readonly run: number;
  readonly call: number;
  readonly ok: boolean;
  /** The result, JSON text or bytes; or the message of the error. */
  readonly value: string | Uint8Array | undefined;
}

/**
 * Answers as guest code takes them: JSON text `[[call, 0, message], [call, 1, value], [call, 2, start, end], …]`, and
 * the bytes that the last kind stands for, all in one.
 */
export function writeAnswers(answers: readonly Answer[]): { json: string; bytes: Uint8Array | undefined } {
  const parts: Uint8Array[] = [];
  let length = 0;
  const rows = answers.map(({ call, ok, value }) => {
    if (!ok) return `[${call},0,${JSON.stringify(String(value))}]`;
    if (value === undefined) return `[${call},1]`;
    if (typeof value !== 'string') {
      parts.push(value);
      length += value.length;
      return `[${call},2,${length - value.length},${length}]`;
    }
    return `[${call},1,${value}]`;
  });
  const [first] = parts;
  const bytes = parts.length > 1 ? Buffer.concat(parts) : first;
  return { json: `[${rows.join(',')}]`, bytes };
}
