import { connect, type Socket } from 'node:net';
import { encodeFrame } from '../../src/protocol/protobuf/frames.js';
import { encodeMessage } from '../../src/protocol/protobuf/messages.js';
import { decodeRpcReturn, encodeRpcCall } from '../../src/protocol/protobuf/rpc.js';

type RpcCall = Parameters<typeof encodeRpcCall>[0];

/** What Kong answers; nothing else is called here. */
const REPLIES: ReadonlyMap<string, Buffer> = new Map([
  ['kong.request.get_header', encodeFrame(encodeMessage('String', { v: 'value' }))],
  ['kong.service.request.set_header', encodeFrame(Buffer.alloc(0))],
]);

/** One of Kong's pooled connections: one command or event at a time, over ProtoBuf:1. */
export class KongSide {
  readonly #socket: Socket;
  #held = Buffer.alloc(0);
  #method: string | undefined;
  #sequence = 1;
  #inEvent = false;
  #calls = 0;
  #done: { resolve: (answer: Buffer) => void; reject: (error: Error) => void } | undefined;

  constructor(path: string) {
    this.#socket = connect(path);
    this.#socket.on('data', (chunk) => this.#read(chunk));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  /** @returns the instance's id */
  async startInstance(name: string, config: object): Promise<number> {
    const text = Buffer.from(JSON.stringify(config));
    const answer = await this.#send({ cmd_start_instance: { name, config: text } }, false);
    const status = decodeRpcReturn(answer).instance_status;
    if (status === undefined) throw new Error('StartInstance was answered without an instance');
    return status.instance_id;
  }

  /** Runs an access event; gives the number of PDK calls that it made. Fails when it ends otherwise than by returning. */
  async event(instance: number): Promise<number> {
    this.#calls = 0;
    await this.#send({ cmd_handle_event: { instance_id: instance, event_name: 'access' } }, true);
    return this.#calls;
  }

  close(): void {
    this.#done = undefined;
    this.#socket.destroy();
  }

  #send(command: Omit<RpcCall, 'sequence'>, isEvent: boolean): Promise<Buffer> {
    this.#inEvent = isEvent;
    this.#sequence++;
    return new Promise((resolve, reject) => {
      this.#done = { resolve, reject };
      this.#socket.write(encodeFrame(encodeRpcCall({ sequence: this.#sequence, ...command })));
    });
  }

  #fail(error: Error): void {
    this.#done?.reject(error);
    this.#done = undefined;
  }

  #read(chunk: Buffer): void {
    let bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    while (bytes.length >= 4) {
      const end = 4 + bytes.readUInt32LE(0);
      if (bytes.length < end) break;
      this.#frame(bytes.subarray(4, end));
      bytes = bytes.subarray(end);
    }
    this.#held = Buffer.from(bytes);
  }

  #frame(frame: Buffer): void {
    if (!this.#inEvent) {
      const done = this.#done;
      this.#done = undefined;
      done?.resolve(frame);
    } else if (this.#method !== undefined) {
      const reply = REPLIES.get(this.#method);
      if (reply === undefined) this.#fail(new Error(`unexpected call: ${this.#method} ${frame}`));
      else this.#socket.write(reply);
      this.#method = undefined;
      this.#calls++;
    } else if (frame.length === 0) {
      // The end of the calls; the RpcReturn comes next.
      this.#inEvent = false;
    } else {
      this.#method = frame.toString('latin1');
    }
  }
}
