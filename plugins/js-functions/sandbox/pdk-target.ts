import type { PdkFunction } from 'kong-ts-pluginserver';

/** The `kong` object as far as the sandbox looks at it: namespaces of functions. */
export type PdkTarget = Readonly<Record<string, unknown>>;

/**
 * Calls a PDK method on a `kong` object for a function in a thread.
 *
 * Rejects with what the method throws: HandlerExit, when the event is over.
 *
 * @param args as they came from the thread
 * @returns the result as it goes there: JSON text, a copy of bytes, undefined
 */
export async function callPdkMethod(
  kong: PdkTarget,
  { path }: PdkFunction,
  args: readonly unknown[],
): Promise<string | Uint8Array | undefined> {
  let owner: unknown;
  let method: unknown = kong;
  for (const name of path) {
    owner = method;
    method = (owner as Record<string, unknown> | undefined)?.[name];
  }
  if (typeof method !== 'function') throw new TypeError(`kong.${path.join('.')} is not available here`);
  const value: unknown = await method.apply(owner, args.map(received));
  return value instanceof Uint8Array ? Uint8Array.from(value) : jsonOf(value);
}

/** What crosses is a plain Uint8Array; the PDK takes Buffers. */
function received(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
}

/** A result as JSON text. @throws for what JSON cannot hold */
function jsonOf(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  try {
    return JSON.stringify(value) ?? 'null';
  } catch {
    throw new Error('the result is nested too deeply or cannot be copied');
  }
}
