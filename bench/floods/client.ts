import { encodeMessage } from '../../src/protocol/protobuf/messages.js';
import { type EventResult, KongPeer } from '../../test/support/kong-peer.js';

/** One of Kong's connections, opened anew after each rejection. */
export class FloodClient {
  readonly #socket: string;
  #peer: KongPeer;

  constructor(socket: string) {
    this.#socket = socket;
    this.#peer = new KongPeer(socket);
  }

  /** Starts an instance of customer-verification; its id. */
  async start(config: object): Promise<number> {
    const id = await this.#peer.start('customer-verification', config);
    if (id === undefined) throw new Error('the instance was refused');
    return id;
  }

  /** Runs the access phase for a request with these headers. */
  async event(instance: number, headers: Record<string, string>): Promise<EventResult> {
    const answers = { 'kong.request.get_headers': encodeMessage('Struct', headers) };
    const result = await this.#peer.event(instance, 'access', answers);
    if (result.end !== 'returned') {
      this.#peer.close();
      this.#peer = new KongPeer(this.#socket);
    }
    return result;
  }

  close(): void {
    this.#peer.close();
  }
}
