import { type Kong, type Phase, type PluginConfig, type Reports, reports } from 'kong-ts-pluginserver';
import { compileFunction } from './compile/compile.js';
import type { EditedText, Position } from './compile/positions.js';
import { type PhaseFunctions, readFunctions } from './config.js';
import { CompileError, FunctionConfigError, FunctionError } from './errors.js';
import { countLimit } from './metrics.js';
import { requireFunctionsAllowed } from './policy.js';
import { FunctionInstance } from './sandbox/function-instance.js';
import { type LimitKind, type Limits, resolveLimits, resolveThreads } from './sandbox/limits.js';
import type { GuestError, ProgramUnit, RunEnd } from './sandbox/messages.js';
import type { PdkTarget } from './sandbox/pdk-target.js';

/**
 * What the js-*-function plugins have in common: the functions of one configuration, compiled when the instance
 * starts, and run in a worker thread from the first request on.
 */
export class FunctionsPlugin {
  readonly #name: string;
  readonly #functions: readonly PhaseFunctions[];
  readonly #texts = new Map<string, EditedText>();
  readonly #limits: Limits;
  readonly #instance: FunctionInstance;
  readonly #reports: Reports;

  /**
   * @param name the plugin's name, for messages
   * @param phases the phases it may have functions in
   * @throws FunctionConfigError when functions are switched off, when there is none, when one does not compile (the
   *   message names plugin, phase, index, line and column), and for impossible limits
   */
  constructor(name: string, phases: readonly Phase[], config: PluginConfig, env = process.env) {
    this.#name = name;
    this.#reports = reports(name);
    let threads: number;
    try {
      requireFunctionsAllowed(env);
      this.#functions = readFunctions(config, phases);
      this.#limits = resolveLimits(config, env);
      threads = resolveThreads(env);
    } catch (error) {
      throw new FunctionConfigError(`${name}: ${(error as Error).message}`, { cause: error });
    }
    const program = this.#functions.flatMap(({ phase, sources }, at) =>
      sources.map((source, index) => this.#compile(source, `${phase}[${index}]`, at)),
    );
    this.#instance = new FunctionInstance(name, program, this.#limits, threads, (ms) => {
      const fields = this.#functions.map(({ phase }) => `config.${phase}`).join(', ');
      const text = `functions in ${fields} had their thread ended again and again: not run for ${ms / 1000} s`;
      this.#reports.inBackground('err', 'suspended', text);
    });
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
  async handle(phase: Phase, kong: Kong): Promise<void> {
    const at = this.#functions.findIndex((functions) => functions.phase === phase);
    if (at < 0) return;
    if (this.#reports.pending) await this.#reports.flush(kong);
    const end = await this.#instance.run(at, kong as unknown as PdkTarget);
    await this.#conclude(phase, kong, end);
  }

  /** Gives up what the functions keep, once those in progress have ended; called when Kong closes the instance. */
  close(): void {
    this.#instance.close();
  }

  /** For measurements: memory that the functions' isolate had taken when the last one ran, bytes. */
  memoryUsed(): number {
    return this.#instance.memoryUsed;
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
      suspended: 'its thread was ended too often',
    };
    return texts[limit];
  }
}
