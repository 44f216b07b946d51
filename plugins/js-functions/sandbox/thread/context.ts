import type { Engine } from '../engine.js';

/** The isolate could not be made: no memory for it, or code that the engine does not take. */
export class IsolateError extends Error {
  readonly code = 'JS_ISOLATE';
}

/**
 * Values of a context in an engine: they are pointers here. Who makes one frees it, unless it is handed to the engine as
 * the result of a function of the host's.
 */
export class EngineContext {
  readonly engine: Engine;
  readonly pointer: number;

  constructor(engine: Engine, pointer: number) {
    this.engine = engine;
    this.pointer = pointer;
  }

  number(value: number): number {
    return this.engine.fn._QTS_NewFloat64(this.pointer, value);
  }

  /** 0: there was no memory for it. */
  string(text: string): number {
    const { fn } = this.engine;
    const pointer = this.engine.putText(text);
    if (pointer === 0) return 0;
    const value = fn._QTS_NewString(this.pointer, pointer);
    fn._free(pointer);
    return value;
  }

  /** 0: there was no memory for it. */
  arrayBuffer(bytes: Uint8Array): number {
    const pointer = this.engine.putBytes(bytes);
    return pointer === 0 ? 0 : this.engine.fn._QTS_NewArrayBuffer(this.pointer, pointer, bytes.length);
  }

  /** The text of a value; undefined: there is no memory for it, or it is longer than `most` bytes. */
  textOf(value: number, most?: number): string | undefined {
    const { fn } = this.engine;
    const pointer = fn._QTS_GetString(this.pointer, value);
    if (pointer === 0) return undefined;
    const text = this.engine.textAt(pointer, most);
    fn._QTS_FreeCString(this.pointer, pointer);
    return text;
  }

  /** A copy of the bytes of an ArrayBuffer. */
  bytesOf(value: number): Uint8Array {
    const { fn } = this.engine;
    const length = fn._QTS_GetArrayBufferLength(this.pointer, value);
    const pointer = length > 0 ? fn._QTS_GetArrayBuffer(this.pointer, value) : 0;
    if (pointer === 0) return new Uint8Array();
    const bytes = Uint8Array.prototype.slice.call(this.engine.bytes, pointer, pointer + length);
    fn._free(pointer);
    return bytes;
  }

  free(value: number): void {
    this.engine.fn._QTS_FreeValuePointer(this.pointer, value);
  }

  /** The result, which may be an exception. */
  apply(callee: number, args: readonly number[]): number {
    const { fn } = this.engine;
    const list = fn._malloc(args.length * 4 + 4);
    for (const [index, arg] of args.entries()) this.engine.bytes.writeInt32LE(arg, list + index * 4);
    const result = fn._QTS_Call(this.pointer, callee, fn._QTS_GetUndefined(), args.length, list);
    fn._free(list);
    return result;
  }

  /** @throws IsolateError when it throws */
  result(callee: number, args: readonly number[]): number {
    return this.#checked(this.apply(callee, args));
  }

  /** @throws IsolateError when the engine does not take the code, or it throws */
  evaluate(code: string, file: string): number {
    const { fn } = this.engine;
    const [text, name] = [this.engine.putText(code), this.engine.putText(file)];
    if (text === 0 || name === 0) throw new IsolateError('there is no memory for the code');
    const value = fn._QTS_Eval(this.pointer, text, Buffer.byteLength(code), name, 0, 0);
    fn._free(text);
    fn._free(name);
    return this.#checked(value);
  }

  #checked(value: number): number {
    const { fn } = this.engine;
    const error = fn._QTS_ResolveException(this.pointer, value);
    if (error === 0) return value;
    const text = fn._QTS_Dump(this.pointer, error);
    throw new IsolateError(`the engine did not take the code: ${this.engine.textAt(text)}`);
  }
}
