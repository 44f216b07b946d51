import type { Kong, Phase, PluginConfig } from 'kong-ts-pluginserver';
import { compileFunction } from './compile/compile.js';
import type { EditedText, Position } from './compile/positions.js';
import { type PhaseFunctions, readFunctions } from './config.js';
import { CompileError, FunctionConfigError, FunctionError } from './errors.js';
import { countLimit } from './metrics.js';
import { requireFunctionsAllowed } from './policy.js';
import type { ProgramUnit } from './sandbox/guest.js';
import { Isolate } from './sandbox/isolate.js';
import { type LimitKind, type Limits, resolveLimits } from './sandbox/limits.js';
import type { PdkTarget } from './sandbox/pdk-target.js';
import type { GuestError, RunEnd } from './sandbox/run.js';

/**
 * What the js-*-function plugins have in common: the functions of one configuration, compiled when the instance
 * starts, and their isolate, made at the first request and again when it had to be given up.
 */
export class FunctionsPlugin {
  readonly #name: string;
  readonly #functions: readonly PhaseFunctions[];
  readonly #texts = new Map<string, EditedText>();
  readonly #program: readonly ProgramUnit[];
  readonly #limits: Limits;
  #isolate: Isolate | undefined;
  #opening: Promise<Isolate> | undefined;
  #closed = false;

  /**
   * @param name the plugin's name, for messages
   * @param phases the phases it may have functions in
   * @throws FunctionConfigError when functions are switched off, when there is none, when one does not compile (the
   *   message names plugin, phase, index, line and column), and for impossible limits
   */
  constructor(name: string, phases: readonly Phase[], config: PluginConfig, env = process.env) {
    this.#name = name;
    try {
      requireFunctionsAllowed(env);
      this.#functions = readFunctions(config, phases);
      this.#limits = resolveLimits(config, env);
    } catch (error) {
      throw new FunctionConfigError(`${name}: ${(error as Error).message}`, { cause: error });
    }
    this.#program = this.#functions.flatMap(({ phase, sources }, at) =>
      sources.map((source, index) => this.#compile(source, `${phase}[${index}]`, at)),
    );
  }

  #compile(source: string, name: string, phase: number): ProgramUnit {
    try {
      const { edited, mayReturnFunction } = compileFunction(source);
      this.#texts.set(name, edited);
      return { name, phase, code: edited.text, mayReturnFunction };
    } catch (error) {
      if (!(error instanceof CompileError)) throw error;
      const { line, column } = error.position;
      throw new FunctionConfigError(`${this.#name} ${name}:${line}:${column}: ${error.reason}`, {
        cause: error,
      });
    }
  }

  /**
   * Runs the functions of a phase for one request.
   *
   * @throws FunctionError when one of them threw or went over a limit
   * @throws HandlerExit when one of them ended the request
   */
  protected async handle(phase: Phase, kong: Kong): Promise<void> {
    const at = this.#functions.findIndex((functions) => functions.phase === phase);
    if (at < 0) return;
    const isolate = this.#isolate?.isOpen ? this.#isolate : await this.#open();
    const end = await isolate.run(at, kong as unknown as PdkTarget);
    await this.#conclude(phase, kong, end);
  }

  /** Gives the isolate up; called when Kong closes the instance. */
  close(): void {
    this.#closed = true;
    this.#isolate?.retire();
    this.#isolate = undefined;
  }

  /** For measurements: bytes in use in the isolate; 0 before the first request. */
  memoryUsed(): number {
    return this.#isolate?.isOpen ? this.#isolate.memoryUsed() : 0;
  }

  async #open(): Promise<Isolate> {
    this.#opening ??= Isolate.open(this.#program, this.#limits).finally(() => {
      this.#opening = undefined;
    });
    const isolate = await this.#opening;
    if (this.#closed) isolate.retire();
    else this.#isolate = isolate;
    return isolate;
  }

  async #conclude(phase: Phase, kong: Kong, end: RunEnd): Promise<void> {
    switch (end.kind) {
      case 'done':
        return;
      case 'exit':
        // Throws, and so ends the handler as it does in any other plugin.
        await (kong.response[end.method] as (...args: readonly unknown[]) => Promise<unknown>)(...end.args);
        return;
      case 'ended':
        throw end.error;
      case 'failed':
        throw new FunctionError('JS_FUNCTION', this.#told(phase, end.index, end.error));
      case 'limit':
        countLimit(this.#name, end.limit);
        throw new FunctionError(
          'JS_LIMIT',
          end.error === undefined
            ? `${this.#name} ${phase}: stopped: ${this.#limitText(end.limit)}`
            : `${this.#told(phase, end.index ?? 0, end.error)} (${this.#limitText(end.limit)})`,
        );
    }
  }

  #told(phase: Phase, index: number, error: GuestError): string {
    const name = `${phase}[${index}]`;
    const place = this.#placeOf(name, error);
    const where = place === undefined ? name : `${place.name}:${place.line}:${place.column}`;
    return `${this.#name} ${where}: ${error.name === '' ? '' : `${error.name}: `}${error.message}`;
  }

  /** The topmost place in the user's own source; a stack may pass through another function of the instance. */
  #placeOf(name: string, error: GuestError): (Position & { name: string }) | undefined {
    if (error.thrownAt !== undefined) return { name, ...error.thrownAt };
    for (const [, frame, line, column] of error.stack.matchAll(/([a-z]+\[\d+\]):(\d+):(\d+)\)?$/gm)) {
      const text = this.#texts.get(frame as string);
      if (text !== undefined) {
        return { name: frame as string, ...text.originalPosition(Number(line), Number(column)) };
      }
    }
    return undefined;
  }

  #limitText(limit: LimitKind): string {
    const { cpuMs, memoryBytes, stackBytes, wallMs, pdkCalls, outputBytes } = this.#limits;
    const texts: Record<LimitKind, string> = {
      cpu: `over the limit of ${cpuMs} ms of processor time`,
      memory: `over the limit of ${memoryBytes / 1024 / 1024} MB of memory`,
      stack: `over the limit of ${stackBytes / 1024} KB of stack`,
      wall: `over the limit of ${wallMs} ms`,
      pdk_calls: `over the limit of ${pdkCalls} PDK calls`,
      output: `over the limit of ${outputBytes / 1024} KB handed to the PDK`,
      engine: 'the JavaScript engine failed',
    };
    return texts[limit];
  }
}
