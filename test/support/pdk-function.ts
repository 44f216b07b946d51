import { methodNamed } from '../../src/pdk/methods.js';
import type { Kong } from '../../src/pdk/types.js';

type Namespace = { readonly [name: string]: unknown };

/** The function of a `kong` object that Kong knows by a wire name such as `kong.request.get_header`, or any other. */
export function pdkFunction(kong: Kong, wire: string): (...args: unknown[]) => Promise<unknown> {
  const path = methodNamed(wire)?.path ?? wire.split('.').slice(1);
  const namespace = path
    .slice(0, -1)
    .reduce((outer, name) => outer[name] as Namespace, kong as unknown as Namespace);
  const method = namespace[path.at(-1) as string] as (...args: unknown[]) => Promise<unknown>;
  return method.bind(namespace);
}
