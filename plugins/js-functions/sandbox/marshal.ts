import { PluginServerError } from 'kong-ts-pluginserver';

/** Deeper values than this are refused: codecs walk them recursively. */
const MOST_DEPTH = 64;

/** Arguments that guest code handed over and that cannot be taken. */
export class MarshalError extends PluginServerError {
  constructor(message: string) {
    super('JS_ARGUMENT', message);
  }
}

/**
 * The arguments of a call as the host uses them: from JSON text, with bytes put in where they were left out.
 *
 * @param json an array
 * @param buffers pairs of a position and the bytes that stand there
 * @throws MarshalError for text that is no array, too deep values, and the key `__proto__`
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
  for (const [index, bytes] of buffers) args[index] = Buffer.from(bytes);
  return args;
}

function checkShape(root: unknown[], lookAtKeys: boolean): void {
  let level: object[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MOST_DEPTH) throw new MarshalError(`an argument is nested more than ${MOST_DEPTH} deep`);
    const next: object[] = [];
    for (const value of level) {
      if (lookAtKeys && Object.hasOwn(value, '__proto__')) {
        throw new MarshalError('an argument has the key __proto__');
      }
      for (const item of Object.values(value)) {
        if (typeof item === 'object' && item !== null) next.push(item);
      }
    }
    level = next;
  }
}

/** One answer to guest code. */
export interface Answer {
  readonly call: number;
  readonly ok: boolean;
  /** The result, or the message of the error. */
  readonly value: unknown;
}

/** Answers as guest code takes them: JSON text `[[call, ok, value], …]`, and the bytes that stand apart. */
export function writeAnswers(answers: readonly Answer[]): { json: string; buffers: Uint8Array[] } {
  const buffers: Uint8Array[] = [];
  const rows = answers.map(({ call, ok, value }) => {
    if (!ok) return `[${call},0,${JSON.stringify(String(value))}]`;
    if (value instanceof Uint8Array) return `[${call},2,${buffers.push(value) - 1}]`;
    if (value === undefined) return `[${call},1]`;
    const text = resultText(value);
    return text === undefined
      ? `[${call},0,"the result is nested too deeply or cannot be copied"]`
      : `[${call},1,${text}]`;
  });
  return { json: `[${rows.join(',')}]`, buffers };
}

/** A result as JSON; undefined for what JSON cannot hold, and for what the guest's reader could not take. */
function resultText(value: unknown): string | undefined {
  if (typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  try {
    const text = JSON.stringify(value) ?? 'null';
    return nesting(text) > MOST_DEPTH ? undefined : text;
  } catch {
    // A cycle, or nested so deeply that the host's own writer gave up.
    return undefined;
  }
}

/** How deep a JSON text nests. */
function nesting(text: string): number {
  if (text.length <= MOST_DEPTH) return 0;
  let most = 0;
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/g)) {
    if (token === '[' || token === '{') most = Math.max(most, ++depth);
    else if (token === ']' || token === '}') depth--;
  }
  return most;
}
