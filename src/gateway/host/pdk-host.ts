import { methodNamed } from '../../pdk/methods.js';
import { LuaError, type LuaValue, type PdkHost, ResponseExit, UnknownPdkMethod } from '../plugin-port.js';
import { clientFunctions } from './client-functions.js';
import { checkPhase, type HostContext, type HostFunction } from './context.js';
import { logFunctions } from './log-functions.js';
import { nginxFunctions } from './nginx-functions.js';
import { nodeFunctions } from './node-functions.js';
import { requestFunctions } from './request-functions.js';
import { responseFunctions } from './response-functions.js';
import { serviceFunctions } from './service-functions.js';

/** Every PDK function the gateway emulates, by its name on the wire. */
export const HOST_FUNCTIONS: ReadonlyMap<string, HostFunction> = new Map(
  Object.entries({
    ...clientFunctions,
    ...logFunctions,
    ...nginxFunctions,
    ...nodeFunctions,
    ...requestFunctions,
    ...responseFunctions,
    ...serviceFunctions,
  }),
);

/** Kong's side of the PDK for one event: phase checks, then the function. */
export class EventHost implements PdkHost {
  #ended = false;

  constructor(private readonly context: HostContext) {}

  call(method: string, args: readonly LuaValue[]): LuaValue | Promise<LuaValue> {
    if (this.#ended) {
      throw new ResponseExit();
    }
    const found = HOST_FUNCTIONS.get(method);
    if (found === undefined) {
      // Kong has it: to step over it would mislead.
      if (methodNamed(method) !== undefined) {
        throw new LuaError(`${method} is not emulated by the local gateway`);
      }
      throw new UnknownPdkMethod(method);
    }
    if (found.phases !== undefined) checkPhase(this.context.phase, found.phases);
    try {
      return found.run(this.context, args);
    } catch (error) {
      this.#ended ||= error instanceof ResponseExit;
      throw error;
    }
  }
}
