import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import loadGlue from '@jitl/quickjs-wasmfile-release-sync/emscripten-module';

/** WebAssembly as far as it is used here; Node's types leave it to the browser's. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports: object);
    readonly exports: object;
  }
  class Memory {
    constructor(size: { initial: number; maximum: number });
    readonly buffer: ArrayBuffer;
  }
}

/** QuickJS as compiled machine code; threads can be handed it. */
export type EngineCode = WebAssembly.Module;

const PAGE = 65_536;

/** What the engine takes of its memory before any JavaScript is in it: its stack of 5 MB, which is hardly touched, and
 * its constants. */
const ENGINE_PAGES = 84;

/** The functions of the engine that are used; pointers are numbers. Names as the library has them. */
export interface EngineFunctions {
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  _QTS_NewRuntime(): number;
  _QTS_FreeRuntime(runtime: number): void;
  _QTS_RuntimeSetMemoryLimit(runtime: number, bytes: number): void;
  _QTS_RuntimeSetMaxStackSize(runtime: number, bytes: number): void;
  _QTS_RuntimeEnableInterruptHandler(runtime: number): void;
  _QTS_NewContext(runtime: number, intrinsics: number): number;
  _QTS_FreeContext(context: number): void;
  _QTS_Eval(
    context: number,
    code: number,
    length: number,
    file: number,
    module: number,
    flags: number,
  ): number;
  _QTS_Call(context: number, fn: number, self: number, count: number, args: number): number;
  _QTS_ResolveException(context: number, value: number): number;
  _QTS_Dump(context: number, value: number): number;
  _QTS_ExecutePendingJob(runtime: number, most: number, contextOut: number): number;
  _QTS_IsJobPending(runtime: number): number;
  _QTS_NewFunction(
    context: number,
    name: number,
    length: number,
    isConstructor: boolean,
    hostFunction: number,
  ): number;
  _QTS_ArgvGetJSValueConstPointer(args: number, index: number): number;
  _QTS_NewObject(context: number): number;
  _QTS_GetProp(context: number, object: number, name: number): number;
  _QTS_SetProp(context: number, object: number, name: number, value: number): void;
  _QTS_NewFloat64(context: number, value: number): number;
  _QTS_GetFloat64(context: number, value: number): number;
  _QTS_NewString(context: number, text: number): number;
  _QTS_GetString(context: number, value: number): number;
  _QTS_FreeCString(context: number, text: number): void;
  _QTS_NewArrayBuffer(context: number, bytes: number, length: number): number;
  _QTS_GetArrayBuffer(context: number, value: number): number;
  _QTS_GetArrayBufferLength(context: number, value: number): number;
  _QTS_GetUndefined(): number;
  _QTS_FreeValuePointer(context: number, value: number): void;
}

/** What the engine asks of the host. */
export interface EngineCallbacks {
  /** A function of the host's was called. Gives the pointer of a value that the engine frees; 0: undefined. */
  callFunction(self: number, count: number, args: number, hostFunction: number): number;
  /** Whether the code in progress is to stop. */
  shouldInterrupt(): boolean;
}

/**
 * One instance of QuickJS with a memory of its own, which ends where it was told to end: the engine finds no more
 * memory there, and what goes wrong in it goes wrong in nothing else.
 *
 * After anything that its functions throw, it must not be used any more.
 */
export class Engine {
  readonly fn: EngineFunctions;
  readonly #memory: WebAssembly.Memory;
  #view: Buffer;

  private constructor(fn: EngineFunctions, memory: WebAssembly.Memory) {
    this.fn = fn;
    this.#memory = memory;
    this.#view = Buffer.from(memory.buffer);
  }

  /**
   * @param bytes the most memory for what is in it, beside the engine's own stack and constants
   * @param pages 64 KB pages to begin with
   */
  static async start(
    code: EngineCode,
    bytes: number,
    callbacks: EngineCallbacks,
    pages = ENGINE_PAGES,
  ): Promise<Engine> {
    const memory = new WebAssembly.Memory({
      initial: pages,
      maximum: Math.max(pages, ENGINE_PAGES + Math.ceil(bytes / PAGE)),
    });
    const fn = await (
      loadGlue as unknown as (options: object) => Promise<EngineFunctions & { callbacks: object }>
    )({
      wasmMemory: memory,
      instantiateWasm(imports: object, done: (instance: WebAssembly.Instance, code: EngineCode) => void) {
        const instance = new WebAssembly.Instance(code, imports);
        done(instance, code);
        return instance.exports;
      },
      // Its last words when it gives up would go to standard output.
      print: () => {},
      printErr: () => {},
    });
    fn.callbacks = {
      callFunction: (_asyncify: unknown, _context: number, ...rest: [number, number, number, number]) =>
        callbacks.callFunction(...rest),
      shouldInterrupt: () => (callbacks.shouldInterrupt() ? 1 : 0),
      freeHostRef: () => {},
    };
    return new Engine(fn, memory);
  }

  /** The engine's memory. Not to be kept: it moves when it grows. */
  get bytes(): Buffer {
    if (this.#view.length === 0) this.#view = Buffer.from(this.#memory.buffer);
    return this.#view;
  }

  /** Pages of 64 KB that the memory has now. */
  get pages(): number {
    return this.#memory.buffer.byteLength / PAGE;
  }

  /** Puts a text into the engine's memory, with a zero behind it. The caller frees it. 0: there is no room. */
  putText(text: string): number {
    const length = Buffer.byteLength(text);
    const pointer = this.fn._malloc(length + 1);
    if (pointer === 0) return 0;
    const { bytes } = this;
    bytes.write(text, pointer, length);
    bytes[pointer + length] = 0;
    return pointer;
  }

  /** Puts bytes into the engine's memory. The caller frees them. 0: there is no room. */
  putBytes(bytes: Uint8Array): number {
    const pointer = this.fn._malloc(bytes.length + 1);
    if (pointer !== 0) this.bytes.set(bytes, pointer);
    return pointer;
  }

  /** The text at a pointer, up to its zero; undefined when it is longer than `most` bytes. */
  textAt(pointer: number, most = Number.POSITIVE_INFINITY): string | undefined {
    const { bytes } = this;
    const end = bytes.indexOf(0, pointer);
    return end - pointer > most ? undefined : bytes.toString('utf8', pointer, end);
  }

  /** The pages of its memory that are not empty, to begin others with. */
  image(): EngineImage {
    const { bytes, pages } = this;
    const used: number[] = [];
    for (let page = 0; page < pages; page++) {
      if (bytes.subarray(page * PAGE, (page + 1) * PAGE).some((byte) => byte !== 0)) used.push(page);
    }
    const content = new Uint8Array(new SharedArrayBuffer(used.length * PAGE));
    for (const [n, page] of used.entries()) {
      content.set(bytes.subarray(page * PAGE, (page + 1) * PAGE), n * PAGE);
    }
    return { pages, used, content };
  }

  /** Takes over the memory of another engine that had just started and was at rest. */
  become({ used, content }: EngineImage): void {
    const { bytes } = this;
    for (const [n, page] of used.entries()) {
      bytes.set(content.subarray(n * PAGE, (n + 1) * PAGE), page * PAGE);
    }
  }
}

/** What is in an engine's memory; threads can be handed it. */
export interface EngineImage {
  readonly pages: number;
  readonly used: readonly number[];
  readonly content: Uint8Array;
}

/** The declaration of the engine's memory: imported as a.a, from 256 to 32768 pages. */
const MEMORY_IMPORT = Buffer.from([1, 0x61, 1, 0x61, 2, 1, 0x80, 2, 0x80, 0x80, 2]);
/** Where in it the least number of pages stands: two bytes. */
const LEAST_PAGES_AT = 6;

/**
 * Compiles the engine.
 *
 * It asks for 16 MB to begin with and needs a third of that. What it asks for is made less, so that memory can be
 * capped below.
 */
export function compileEngine(): EngineCode {
  const require = createRequire(import.meta.url);
  const bytes = readFileSync(require.resolve('@jitl/quickjs-wasmfile-release-sync/wasm'));
  const at = bytes.indexOf(MEMORY_IMPORT);
  if (at < 0) throw new Error('the engine is built in another way: its memory cannot be capped');
  bytes[at + LEAST_PAGES_AT] = 0x80 | (ENGINE_PAGES & 0x7f);
  bytes[at + LEAST_PAGES_AT + 1] = ENGINE_PAGES >> 7;
  return new WebAssembly.Module(bytes);
}
