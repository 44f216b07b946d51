import type { GatewayConfig } from '../config/entities.js';
import type { Exchange } from '../exchange.js';
import type { GatewayLog } from '../log.js';
import { LuaError, type LuaValue } from '../plugin-port.js';

/** Kong's phases and the numbers it knows them by (`KONG_PHASE`), in the order it lists them. */
export const KONG_PHASES = {
  certificate: 0x2,
  rewrite: 0x10,
  access: 0x20,
  balancer: 0x40,
  response: 0x80,
  header_filter: 0x200,
  body_filter: 0x400,
  log: 0x2000,
  preread: 0x4000,
  error: 0x1000000,
  admin_api: 0x10000000,
} as const;

export type KongPhase = keyof typeof KONG_PHASES;

/** What host functions know of the gateway as a whole. */
export interface GatewayNode {
  readonly id: string;
  readonly config: GatewayConfig;
  readonly log: GatewayLog;
}

/** What a host function works on: one request, in one phase, for one plugin. */
export class HostContext {
  constructor(
    /** For what is kept for the log phase, too; everything else goes through {@link live}. */
    readonly exchange: Exchange,
    readonly phase: KongPhase,
    readonly plugin: string,
    readonly node: GatewayNode,
  ) {}

  /**
   * The request while nginx still has it.
   *
   * @throws {LuaError} in the log phase, which runs in a timer after the request, and in `certificate`, before it
   */
  get live(): Exchange {
    if (this.phase === 'log' || this.phase === 'certificate') {
      throw new LuaError('API disabled in the current context');
    }
    return this.exchange;
  }
}

/** @throws {LuaError} in any other phase than these */
export function checkPhase(phase: KongPhase, phases: readonly KongPhase[]): void {
  if (phases.includes(phase)) return;
  throw new LuaError(`function cannot be called in ${phase} phase (only in: ${phases.join(', ')})`);
}

type Run<Result> = (context: HostContext, args: readonly LuaValue[]) => Result;

/** One function of the PDK. */
export interface HostFunction {
  /** Where Kong allows it; undefined: everywhere. */
  readonly phases?: readonly KongPhase[];
  readonly run: Run<LuaValue | Promise<LuaValue>>;
}

/** Functions with a result, in these phases; without phases everywhere. */
export const getter =
  (phases?: readonly KongPhase[]) =>
  (run: HostFunction['run']): HostFunction =>
    phases === undefined ? { run } : { phases, run };

/** Functions without a result. */
export const setter = (phases?: readonly KongPhase[]) => (run: Run<void>) =>
  getter(phases)((context, args): LuaValue => {
    run(context, args);
    return undefined;
  });

/** Host functions by their name on the wire. */
export type HostFunctions = Readonly<Record<string, HostFunction>>;

export const AUTHENTICATED_AND_LATER: readonly KongPhase[] = [
  'access',
  'response',
  'header_filter',
  'body_filter',
  'log',
];
