import type { ObservedPlugin, RunObserver } from '../gateway/observer.js';
import { type LuaValue, ResponseExit } from '../gateway/plugin-port.js';
import { recordedError, reportedFailure } from './failures.js';
import type { ExchangeRecord, PdkCall, PluginRun, RunOutcome } from './record.js';
import { recordedValue } from './values.js';

/** Functions after which the upstream or the client sees something else. */
const CHANGING =
  /^kong\.(?:service\.(?:set_|request\.(?:set|add|clear)_)|response\.(?:set|add|clear)_|client\.authenticate$)/;

const configs = new WeakMap<ObservedPlugin, Record<string, unknown>>();

export interface RunRecorderOptions {
  /** Milliseconds since the exchange began. */
  readonly now: () => number;
  readonly limit: number;
  /** A handler threw: its stack may be known elsewhere. */
  readonly onFailure: (record: ExchangeRecord, run: PluginRun) => void;
}

/** Writes the record of one event, and of the further ones when it is tried again. */
export class RunRecorder implements RunObserver {
  #run: PluginRun;
  #write = 0;

  constructor(
    private readonly record: ExchangeRecord,
    private readonly plugin: ObservedPlugin,
    private readonly phase: PluginRun['phase'],
    private readonly options: RunRecorderOptions,
  ) {
    this.#run = this.#begin();
  }

  instance(id: number): void {
    this.#run.instanceId = id;
  }

  retried(reason: string): void {
    this.#end('retried', reason);
    this.#run = this.#begin();
    this.#write = 0;
  }

  skipped(reason: string): void {
    this.#run.error = recordedError(reason);
  }

  batch(): void {
    this.#write += 1;
  }

  called(method: string, args: readonly LuaValue[]): number {
    const call: PdkCall = {
      method,
      args: args.map((value) => recordedValue(value, this.options.limit)),
      answer: undefined,
      error: undefined,
      startedAt: this.options.now(),
      endedAt: undefined,
      write: this.#write === 0 ? undefined : this.#write,
    };
    return this.#run.calls.push(call) - 1;
  }

  answered(number: number, result: LuaValue): void {
    const call = this.#run.calls[number];
    if (call === undefined) return;
    call.endedAt = this.options.now();
    call.answer = recordedValue(result, this.options.limit);
  }

  failed(number: number, error: unknown): void {
    const call = this.#run.calls[number];
    if (call === undefined) return;
    call.endedAt = this.options.now();
    if (!(error instanceof ResponseExit)) call.error = error instanceof Error ? error.message : String(error);
  }

  ended(outcome: 'done' | 'exit' | 'skipped' | 'failed', error?: unknown): void {
    const failure = outcome === 'done' || outcome === 'exit' ? this.#reported(outcome) : undefined;
    if (failure !== undefined) {
      this.#end(failure.outcome, failure.message);
      if (failure.outcome === 'threw') this.options.onFailure(this.record, this.#run);
    } else if (outcome === 'done') {
      this.#end(this.#run.calls.some(({ method }) => CHANGING.test(method)) ? 'changed' : 'passed');
    } else if (outcome === 'failed') {
      this.#end('failed', error instanceof Error ? error.message : String(error));
    } else {
      this.#end(outcome === 'exit' ? 'exited' : 'skipped');
    }
  }

  /** The server reports a failure in a last line to the log; an exit with 500 follows, but for the log phase. */
  #reported(outcome: 'done' | 'exit'): ReturnType<typeof reportedFailure> {
    const { calls } = this.#run;
    const line = calls.at(outcome === 'exit' ? -2 : -1);
    const text = line?.method === 'kong.log.err' ? line.args[0] : undefined;
    return typeof text === 'string' ? reportedFailure(this.#run, text) : undefined;
  }

  #begin(): PluginRun {
    const { name, config } = this.plugin;
    const run: PluginRun = {
      plugin: name,
      phase: this.phase,
      entityId: typeof config.__plugin_id === 'string' ? config.__plugin_id : undefined,
      instanceId: undefined,
      config: ownConfig(this.plugin),
      outcome: 'running',
      startedAt: this.options.now(),
      endedAt: undefined,
      calls: [],
      error: undefined,
    };
    this.record.runs.push(run);
    return run;
  }

  #end(outcome: RunOutcome, reason?: string): void {
    this.#run.outcome = outcome;
    this.#run.endedAt = this.options.now();
    if (reason !== undefined) this.#run.error = recordedError(reason);
  }
}

/** The configuration without what Kong adds; one object for all events of a plugin. */
function ownConfig(plugin: ObservedPlugin): Record<string, unknown> {
  let own = configs.get(plugin);
  if (own === undefined) {
    own = Object.fromEntries(Object.entries(plugin.config).filter(([key]) => !key.startsWith('__')));
    configs.set(plugin, own);
  }
  return own;
}
