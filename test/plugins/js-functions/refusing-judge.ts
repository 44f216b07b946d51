import { Plugin } from '../../../plugins/js-pre-function.js';
import { KongPeer } from '../../support/kong-peer.js';
import type { MsgpackKongPeer } from '../../support/kong-peer-msgpack.js';
import { type Ending, type Serving, serving } from '../../support/serving.js';

/** What does not end is to do so soon. */
const LIMITS = { max_cpu_ms: 20, max_wall_ms: 200 };
const NAME = 'js-pre-function';

/** What became of the requests so far. */
interface Counts {
  refused: number;
  failed: number;
  notStarted: number;
}

/** Kong's side of one protocol. */
interface Side {
  /** The instance's id; undefined: Kong gets none, and answers with 500. */
  start(config: object): Promise<number | undefined>;
  /** The status that Kong answers with; 200: it goes on. */
  ask(instance: number, body: Buffer): Promise<number>;
  close(instance: number): Promise<unknown>;
}

/** Has a plugin server run functions that refuse every request, over both protocols in turn, and looks at what Kong gets. */
export class Judge {
  readonly counts: Counts = { refused: 0, failed: 0, notStarted: 0 };
  readonly #sides: readonly Side[];
  readonly #kept = new Map<string, number | undefined>();
  #asked = 0;

  static async start(t: Ending): Promise<Judge> {
    return new Judge(await serving(t, { [NAME]: Plugin }));
  }

  private constructor({ socket, msgpackPeer }: Serving) {
    this.#sides = [protobufSide(socket), msgpackSide(msgpackPeer())];
  }

  /** One request to an instance of its own. @returns false when Kong lets it through or answers with a success */
  async refuses(functions: readonly string[]): Promise<boolean> {
    const side = this.#nextSide();
    const instance = await side.start({ access: functions, ...LIMITS });
    const refused = await this.#ask(side, instance, Buffer.from('{"a":[1]}'));
    if (instance !== undefined) await side.close(instance);
    return refused;
  }

  /** One request to an instance that goes on. @returns as {@link refuses} */
  async refusesBody(source: string, body: Buffer): Promise<boolean> {
    const side = this.#nextSide();
    const key = `${this.#sides.indexOf(side)} ${source}`;
    if (!this.#kept.has(key)) this.#kept.set(key, await side.start({ access: [source], ...LIMITS }));
    return this.#ask(side, this.#kept.get(key), body);
  }

  async #ask(side: Side, instance: number | undefined, body: Buffer): Promise<boolean> {
    const status = instance === undefined ? undefined : await side.ask(instance, body);
    if (status === undefined) this.counts.notStarted++;
    else if (status === 403) this.counts.refused++;
    else if (status === 500) this.counts.failed++;
    else return false;
    return true;
  }

  #nextSide(): Side {
    return this.#sides[this.#asked++ % this.#sides.length] as Side;
  }
}

function protobufSide(socket: string): Side {
  const line = async <T>(use: (peer: KongPeer) => Promise<T>): Promise<T> => {
    // Kong closes a connection that an exit came over.
    const peer = new KongPeer(socket);
    try {
      return await use(peer);
    } finally {
      peer.close();
    }
  };
  return {
    start: (config) => line((peer) => peer.start(NAME, config)),
    ask: (instance, body) =>
      line(async (peer) => {
        const answers = { 'kong.request.get_raw_body': { v: body } };
        const { end, calls } = await peer.event(instance, 'access', answers);
        if (end === 'closed') return 500;
        return end === 'returned' ? 200 : (calls.at(-1) as { args: { status: number } }).args.status;
      }),
    close: (instance) => line((peer) => peer.command({ cmd_close_instance: { instance_id: instance } })),
  };
}

function msgpackSide(peer: MsgpackKongPeer): Side {
  return {
    start: (config) => peer.start(NAME, config),
    ask: async (instance, body) => {
      const answers = { 'kong.request.get_raw_body': body };
      const { end, calls } = await peer.event(instance, 'access', answers);
      if (end === 'error') return 500;
      return end === 'returned' ? 200 : Number(calls.at(-1)?.Args[0]);
    },
    close: (instance) => peer.request('plugin.CloseInstance', instance),
  };
}
