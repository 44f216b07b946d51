/**
 * Guest code, part 1: what the other parts take from the language before user code could change it, and what the
 * sandbox leaves out.
 *
 * Nothing here bounds time or memory: the engine's memory ends, and the watchdog ends a thread whatever it is in.
 */
export const GUARDS = String.raw`
  const { apply, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, ownKeys } = Reflect;
  const { isArray } = Array;
  const isView = ArrayBuffer.isView;
  const nativeStringify = JSON.stringify;

  /** Ends the run in progress: the host has said so, and the next poll throws what no catch can catch. */
  const halt = () => { for (;;); };

  const replace = (owner, name, value) => {
    const old = getOwnPropertyDescriptor(owner, name);
    defineProperty(owner, name, { value, writable: true, enumerable: old ? old.enumerable : false, configurable: true });
  };
  delete RegExp.prototype.compile;
  delete String.prototype.normalize;
  for (const name of ['eval', 'Atomics', 'SharedArrayBuffer', 'WeakRef', 'FinalizationRegistry', 'BigInt',
    'BigInt64Array', 'BigUint64Array', 'gc', 'print', 'navigator', 'performance', 'std', 'os', 'bjson',
    'DOMException', 'queueMicrotask']) delete globalThis[name];
  for (const name of ['getBigInt64', 'getBigUint64', 'setBigInt64', 'setBigUint64']) delete DataView.prototype[name];
`;
