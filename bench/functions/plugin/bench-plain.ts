import type { Kong } from '../../../src/pdk/types.js';
import { type Calls, sourceWith } from '../sources.js';

export const Schema = [{ calls: { type: 'integer' } }];
export const version = '1.0.0';
export const priority = 10;

const AsyncFunction = (async () => {}).constructor as new (
  parameter: string,
  body: string,
) => (kong: Kong) => Promise<void>;

/** Does what the functions of the benchmark do, as a plugin of the server's own. */
export class Plugin {
  readonly #run: (kong: Kong) => Promise<void>;

  constructor(config: { calls: Calls }) {
    this.#run = new AsyncFunction('kong', sourceWith(config.calls));
  }

  access(kong: Kong): Promise<void> {
    return this.#run(kong);
  }
}
