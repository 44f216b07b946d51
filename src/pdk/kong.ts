import type { Bridge } from './bridge.js';
import { PDK_METHODS, type PdkMethod } from './methods.js';
import type { Kong } from './types.js';

/**
 * A namespace of the `kong` object for one event. Methods and inner namespaces sit on prototypes that are built once,
 * from the table; an event costs one small object per namespace that is touched.
 */
class Namespace {
  readonly #bridge: Bridge;

  constructor(bridge: Bridge) {
    this.#bridge = bridge;
  }

  static defineMethod(target: typeof Namespace, name: string, method: PdkMethod): void {
    Object.defineProperty(target.prototype, name, {
      value(this: Namespace, ...args: unknown[]): Promise<unknown> {
        return this.#bridge.call(method, args);
      },
      enumerable: true,
    });
  }

  static defineInner(target: typeof Namespace, name: string, inner: typeof Namespace): void {
    Object.defineProperty(target.prototype, name, {
      get(this: Namespace): Namespace {
        return new inner(this.#bridge);
      },
      enumerable: true,
    });
  }
}

const Root = buildNamespaces();

/** Makes the `kong` object of one event over its bridge. */
export function createKong(bridge: Bridge): Kong {
  return new Root(bridge) as unknown as Kong;
}

function buildNamespaces(): typeof Namespace {
  const classes = new Map<string, typeof Namespace>();
  const namespace = (path: readonly string[]): typeof Namespace => {
    const key = path.join('.');
    let found = classes.get(key);
    if (found === undefined) {
      found = class extends Namespace {};
      Object.defineProperty(found, 'name', { value: ['kong', ...path].join('.') });
      classes.set(key, found);
      const name = path.at(-1);
      if (name !== undefined) Namespace.defineInner(namespace(path.slice(0, -1)), name, found);
    }
    return found;
  };
  for (const method of PDK_METHODS) {
    Namespace.defineMethod(namespace(method.path.slice(0, -1)), method.path.at(-1) as string, method);
  }
  return namespace([]);
}
