import { connect, type Socket } from 'node:net';
import { EMPTY_FRAME, encodeFrame, FrameReader } from '../../src/protocol/protobuf/frames.js';
import { decodeMessage, encodeMessage } from '../../src/protocol/protobuf/messages.js';
import { PROTOBUF_METHODS } from '../../src/protocol/protobuf/methods.js';
import {
  decodeRpcReturn,
  encodeRpcCall,
  type RpcCall,
  type RpcReturn,
} from '../../src/protocol/protobuf/rpc.js';

/** A PDK call as Kong receives it. */
export interface ReceivedCall {
  method: string;
  args: unknown;
  argsHex: string;
}

/** How an event ended, seen from Kong: by its RpcReturn, by an exit, or by a closed connection. */
export interface EventResult {
  calls: ReceivedCall[];
  end: 'returned' | 'exit' | 'closed';
  /** How many times the server wrote: one per read, since nothing else is on the line. */
  chunks: string[];
}

/** Answers of Kong, by method; absent ones are empty frames. A Buffer is the encoded message itself. */
export type Answers = Record<string, unknown>;

/** Kong's side of one ProtoBuf:1 connection, for tests of the server: one command at a time, in strict order. */
export class KongPeer {
  readonly socket: Socket;
  private readonly frames: Buffer[] = [];
  private readonly reader = new FrameReader((payload) => this.frames.push(Buffer.from(payload)));
  private closed = false;
  private chunks: string[] = [];
  private wake: () => void = () => {};
  private sequence = 1;

  constructor(path: string) {
    this.socket = connect(path);
    this.socket.on('data', (chunk) => {
      this.chunks.push(chunk.toString('hex'));
      this.reader.push(chunk);
      this.wake();
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closed = true;
      this.wake();
    });
  }

  /** Sends a command; its sequence number. */
  send(command: Omit<RpcCall, 'sequence'>): number {
    const sequence = ++this.sequence;
    this.socket.write(encodeFrame(encodeRpcCall({ sequence, ...command })));
    return sequence;
  }

  /** The next frame, or undefined when the server has closed the connection. */
  async frame(): Promise<Buffer | undefined> {
    while (this.frames.length === 0 && !this.closed) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this.frames.shift();
  }

  async command(command: Omit<RpcCall, 'sequence'>): Promise<RpcReturn | undefined> {
    this.send(command);
    const frame = await this.frame();
    return frame === undefined ? undefined : decodeRpcReturn(frame);
  }

  /** Starts an instance; undefined when the server refused by closing. */
  async start(name: string, config: unknown = {}): Promise<number | undefined> {
    const text = typeof config === 'string' ? config : JSON.stringify(config);
    const answer = await this.command({ cmd_start_instance: { name, config: Buffer.from(text) } });
    return answer?.instance_status?.instance_id;
  }

  /** Runs an event and answers its PDK calls as Kong would. */
  async event(instance_id: number, event_name = 'access', answers: Answers = {}): Promise<EventResult> {
    this.chunks = [];
    const sequence = this.send({ cmd_handle_event: { instance_id, event_name } });
    const calls: ReceivedCall[] = [];
    for (;;) {
      const name = await this.frame();
      if (name === undefined) return { calls, end: 'closed', chunks: this.chunks };
      if (name.length === 0) {
        const returned = decodeRpcReturn((await this.frame()) as Buffer);
        if (returned.sequence !== sequence) throw new Error(`sequence ${returned.sequence} for ${sequence}`);
        return { calls, end: 'returned', chunks: this.chunks };
      }
      const method = name.toString();
      const payload = (await this.frame()) as Buffer;
      const messages = PROTOBUF_METHODS.get(method);
      if (messages === undefined) throw new Error(`Kong knows no method ${method}`);
      calls.push({ method, args: decodeMessage(messages.args, payload), argsHex: payload.toString('hex') });
      if (method === 'kong.response.exit') return { calls, end: 'exit', chunks: this.chunks };
      const answer = answers[method];
      if (answer === undefined) this.socket.write(EMPTY_FRAME);
      else if (Buffer.isBuffer(answer)) this.socket.write(encodeFrame(answer));
      else this.socket.write(encodeFrame(encodeMessage(messages.result, answer)));
    }
  }

  close(): void {
    this.socket.destroy();
  }
}
