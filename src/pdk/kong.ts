import type { Bridge } from './bridge.js';
import { PDK_METHODS, type PdkMethod, snakeCase, unknownMethod } from './methods.js';
import type { Kong } from './types.js';

type Call = (...args: unknown[]) => Promise<unknown>;

/** Lets a namespace be a function as well: what is given to `super` becomes `this`. */
const Target = function target(object?: object): object | undefined {
  return object;
} as unknown as new (
  object?: object,
) => object;

/**
 * A namespace of the `kong` object for one event. Methods and inner namespaces sit on prototypes that are built once,
 * from the table; an event costs one small object per namespace that is touched.
 */
class Namespace extends Target {
  readonly #bridge: Bridge;

  /** @param target a function that is to be this namespace, too; without it a new object is */
  constructor(bridge: Bridge, target?: object) {
    super(target);
    this.#bridge = bridge;
  }

  /** The bridge of a namespace; undefined for anything else that has its prototype, such as the prototype itself. */
  static bridgeOf(object: object): Bridge | undefined {
    return #bridge in object ? object.#bridge : undefined;
  }

  static defineMethod(prototype: object, name: string, method: PdkMethod): void {
    Object.defineProperty(prototype, name, {
      value(this: Namespace, ...args: unknown[]): Promise<unknown> {
        return this.#bridge.call(method, args);
      },
      enumerable: true,
      configurable: true,
    });
  }

  static defineInner(prototype: object, name: string, inner: typeof Namespace): void {
    Object.defineProperty(prototype, name, {
      get(this: Namespace): Namespace {
        return new inner(this.#bridge);
      },
      enumerable: true,
      configurable: true,
    });
  }

  /** For `kong.log` and its like, which are functions and hold functions. */
  static defineCallable(prototype: object, name: string, inner: typeof Namespace, method: PdkMethod): void {
    Object.defineProperty(prototype, name, {
      get(this: Namespace): Namespace {
        const bridge = this.#bridge;
        const call: Call = (...args) => bridge.call(method, args);
        return new inner(bridge, Object.setPrototypeOf(call, inner.prototype) as object);
      },
      enumerable: true,
      configurable: true,
    });
  }
}

/** What the language and tools ask of any object; never a function of Kong's. */
const NOT_KONGS: ReadonlySet<string | symbol> = new Set(['then', 'toJSON', 'asymmetricMatch', '$$typeof']);

function buildNamespaces(): typeof Namespace {
  const functions = new Map(PDK_METHODS.map((method) => [method.path.join('.'), method]));
  const classes = new Map<string, typeof Namespace>();
  const namespace = (path: readonly string[]): typeof Namespace => {
    const key = path.join('.');
    let found = classes.get(key);
    if (found === undefined) {
      found = class extends Namespace {};
      Object.defineProperty(found, 'name', { value: ['kong', ...path].join('.') });
      Object.setPrototypeOf(found.prototype, new Proxy(Namespace.prototype, new UnknownNames(path)));
      classes.set(key, found);
      const name = path.at(-1);
      if (name !== undefined) {
        const outer = namespace(path.slice(0, -1)).prototype as object;
        const method = functions.get(key);
        for (const spelling of spellings(name)) {
          if (method === undefined) Namespace.defineInner(outer, spelling, found);
          else Namespace.defineCallable(outer, spelling, found, method);
        }
      }
    }
    return found;
  };
  for (const { path } of PDK_METHODS) namespace(path.slice(0, -1));
  for (const method of PDK_METHODS) {
    if (classes.has(method.path.join('.'))) continue;
    const { prototype } = namespace(method.path.slice(0, -1));
    for (const name of spellings(method.path.at(-1) as string)) {
      Namespace.defineMethod(prototype as object, name, method);
    }
  }
  return namespace([]);
}

function spellings(name: string): string[] {
  const snake = snakeCase(name);
  return snake === name ? [name] : [name, snake];
}

/**
 * The end of a namespace's prototype chain, so that names of the table never come here: any other name is a function
 * of Kong's that this version of the table does not know, and a namespace of such functions.
 */
class UnknownNames implements ProxyHandler<object> {
  private readonly path: readonly string[];

  constructor(path: readonly string[]) {
    this.path = path;
  }

  get(target: object, name: string | symbol, receiver: object): unknown {
    const bridge = Namespace.bridgeOf(receiver);
    const language: object = typeof receiver === 'function' ? Function.prototype : target;
    if (bridge === undefined || typeof name === 'symbol' || name in language || NOT_KONGS.has(name)) {
      return Reflect.get(language, name, receiver);
    }
    return unknownFunction(bridge, [...this.path, name]);
  }
}

function unknownFunction(bridge: Bridge, path: readonly string[]): Call {
  const call: Call = (...args) => bridge.call(unknownMethod(path), args);
  return new Proxy(call, {
    get(target, name, receiver) {
      if (typeof name === 'symbol' || name in target || NOT_KONGS.has(name)) {
        return Reflect.get(target, name, receiver);
      }
      return unknownFunction(bridge, [...path, name]);
    },
  });
}

const Root = buildNamespaces();

/** @throws TypeError for what is not a `kong` object of this package's */
export function bridgeOf(kong: Kong): Bridge {
  const bridge = Namespace.bridgeOf(kong);
  if (bridge === undefined) throw new TypeError('not the kong object that the handler was given');
  return bridge;
}

/** Makes the `kong` object of one event over its bridge. */
export function createKong(bridge: Bridge): Kong {
  return new Root(bridge) as unknown as Kong;
}
