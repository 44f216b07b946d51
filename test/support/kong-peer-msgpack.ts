import { connect, type Socket } from 'node:net';
import { encode, MessageReader, parseMessage } from '../../src/protocol/msgpack/index.js';

/** A PDK call as Kong receives it. */
export interface MsgpackCall {
  readonly Method: string;
  readonly Args: unknown[];
}

/** What an event came to: its PDK calls, and whether it said `ret`, left with an exit, or was answered with an error. */
export interface MsgpackEventResult {
  readonly calls: MsgpackCall[];
  readonly end: 'returned' | 'exit' | 'error';
  readonly error?: string;
}

/** `Data` of the Step that follows a call, by method, or what makes it of the call's arguments; absent ones are nil. */
export type StepData = Readonly<Record<string, unknown>>;

interface Line {
  readonly socket: Socket;
  readonly waiting: ((answer: Answer) => void)[];
}

interface Answer {
  readonly error: string | null;
  readonly result: unknown;
}

const EXITS = new Set(['kong.response.exit', 'kong.response.error']);
const MULTI_MAPS = /\.get_headers$|\.get_query$/;
const CONNECTIONS = 2;

/** The server refused a request, or closed the connection instead of answering. */
export class Refused extends Error {}

/**
 * Kong's side of MsgPack:1, for tests of the server. Each request goes over another connection than the one before, as
 * it may with Kong's pool.
 */
export class MsgpackKongPeer {
  private readonly lines: Line[];
  private nextId = 0;

  constructor(path: string) {
    this.lines = Array.from({ length: CONNECTIONS }, () => this.open(path));
  }

  /** Performs one request. @throws Refused with the text of the error */
  async request(method: string, argument?: unknown): Promise<unknown> {
    const id = ++this.nextId;
    const line = this.lines[id % CONNECTIONS] as Line;
    const answered = new Promise<Answer>((resolve) => line.waiting.push(resolve));
    line.socket.write(encode([0, id, method, argument === undefined ? [] : [argument]]));
    const { error, result } = await answered;
    if (error !== null) throw new Refused(error);
    return result;
  }

  /** Starts an instance. @param config its JSON text, or bytes, or what is to become JSON */
  async start(name: string, config: unknown = {}): Promise<number> {
    const text = typeof config === 'string' || Buffer.isBuffer(config) ? config : JSON.stringify(config);
    const status = await this.request('plugin.StartInstance', { Name: name, Config: text });
    return (status as { Id: number }).Id;
  }

  /** Runs an event and performs its PDK calls as Kong would. */
  async event(instance: number, phase = 'access', data: StepData = {}): Promise<MsgpackEventResult> {
    const calls: MsgpackCall[] = [];
    try {
      let answer = await this.request('plugin.HandleEvent', { InstanceId: instance, EventName: phase });
      for (;;) {
        const { Data, EventId } = answer as { Data: MsgpackCall | 'ret'; EventId: unknown };
        if (Data === 'ret') return { calls, end: 'returned' };
        calls.push(Data);
        if (EXITS.has(Data.Method)) return { calls, end: 'exit' };
        const step = MULTI_MAPS.test(Data.Method) ? 'plugin.StepMultiMap' : 'plugin.Step';
        const given = data[Data.Method];
        const result = typeof given === 'function' ? given(Data.Args) : given;
        answer = await this.request(step, result === undefined ? { EventId } : { EventId, Data: result });
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return { calls, end: 'error', error: error.message };
    }
  }

  /** The number of events that the server still keeps for Steps to come. */
  async eventsKept(): Promise<number> {
    return ((await this.request('plugin.GetStatus')) as { Events: number }).Events;
  }

  close(): void {
    for (const { socket } of this.lines) socket.destroy();
  }

  private open(path: string): Line {
    const socket = connect(path);
    const waiting: Line['waiting'] = [];
    const reader = new MessageReader((decoded) => {
      const message = parseMessage(decoded);
      if (message.type === 'response') waiting.shift()?.(message);
    });
    socket.on('data', (chunk) => reader.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      for (const resolve of waiting.splice(0)) resolve({ error: 'connection closed', result: null });
    });
    return { socket, waiting };
  }
}
