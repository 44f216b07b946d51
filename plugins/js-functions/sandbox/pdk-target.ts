import type { PdkFunction } from 'kong-ts-pluginserver';

/** The `kong` object as far as the sandbox looks at it: namespaces of functions. */
export type PdkTarget = Readonly<Record<string, unknown>>;

/**
 * Calls a PDK method on a `kong` object.
 *
 * @throws whatever the method throws synchronously: HandlerExit, when the event is over
 */
export function callPdkMethod(
  kong: PdkTarget,
  { path }: PdkFunction,
  args: readonly unknown[],
): Promise<unknown> {
  let owner: unknown;
  let value: unknown = kong;
  for (const name of path) {
    owner = value;
    value = (owner as Record<string, unknown> | undefined)?.[name];
  }
  if (typeof value !== 'function') {
    return Promise.reject(new TypeError(`kong.${path.join('.')} is not available here`));
  }
  return Promise.resolve(value.apply(owner, args) as unknown);
}
