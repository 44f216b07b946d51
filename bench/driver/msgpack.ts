import { connect, type Socket } from 'node:net';
import { encode } from '../../src/protocol/msgpack/encode.js';
import { encodeRequest } from '../../src/protocol/msgpack/messages.js';
import { MessageReader } from '../../src/protocol/msgpack/reader.js';
import { Arrivals, type Lane } from './arrivals.js';
import type { Load, Player } from './load.js';
import { PLUGIN, sampleRequests } from './requests.js';
import type { Tally } from './tally.js';

type Answered = (error: string | null, result: unknown) => void;

/** What HandleEvent and Step answer. */
interface EventData {
  Data: 'ret' | { Method: string; Args: unknown[] };
  EventId: number;
}

interface Reply {
  /** The headers as `Data` of a StepMultiMap, encoded. */
  data: Buffer;
  uuid: string;
}

/** Plays Kong over MsgPack:1: every request takes the connection last returned to the pool. */
export class MsgpackPlayer implements Player {
  readonly #load: Load;
  readonly #tally: Tally;
  readonly #replies: Reply[];
  readonly #pool: Connection[] = [];
  #instances: number[] = [];
  #turn = 0;
  readonly #arrivals: Arrivals;
  #messageId = 0;

  constructor(load: Load, tally: Tally) {
    this.#load = load;
    this.#tally = tally;
    this.#arrivals = new Arrivals(tally, load.rate);
    this.#replies = sampleRequests(load.headerCount, load.outcome === 'rejected').map(
      ({ headers, uuid }) => ({
        data: encode(Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]))),
        uuid,
      }),
    );
  }

  async prepare(): Promise<void> {
    const connection = await Connection.open(this.#load.socket);
    for (let i = 0; i < this.#load.instances; i++) {
      const config = JSON.stringify({ message: `instance ${i}`, __key__: `plugins:${PLUGIN}:${i}` });
      const started = await new Promise<{ Id: number }>((resolve, reject) => {
        const request = encodeRequest(i, 'plugin.StartInstance', [{ Name: PLUGIN, Config: config }]);
        connection.ask(request, (error, result) => {
          if (error === null) resolve(result as { Id: number });
          else reject(new Error(`StartInstance: ${error}`));
        });
      });
      this.#instances.push(started.Id);
    }
    this.#pool.push(connection);
    while (this.#pool.length < this.#load.concurrency)
      this.#pool.push(await Connection.open(this.#load.socket));
  }

  start(): void {
    this.#arrivals.start(Array.from({ length: this.#load.concurrency }, () => new EventLane(this)));
  }

  async stop(): Promise<void> {
    await this.#arrivals.stop();
    for (const connection of this.#pool) connection.close();
  }

  begin(lane: Lane, dueAt: number): void {
    const turn = this.#turn++;
    const reply = this.#replies[turn % this.#replies.length] as Reply;
    const instance = this.#instances[turn % this.#instances.length] as number;
    const ended = () => this.#arrivals.ended(lane);
    new PlayedEvent(this, this.#load, this.#tally, reply, dueAt, ended).begin(instance);
  }

  nextMessageId(): number {
    return this.#messageId++;
  }

  send(request: Buffer, answered: Answered): void {
    const connection = this.#pool.pop();
    if (connection === undefined) throw new Error('more requests under way than connections');
    connection.ask(request, (error, result) => {
      this.#pool.push(connection);
      answered(error, result);
    });
  }
}

/** A request that Kong has under way; connections are apart from it. */
class EventLane implements Lane {
  readonly #player: MsgpackPlayer;

  constructor(player: MsgpackPlayer) {
    this.#player = player;
  }

  begin(dueAt: number): void {
    this.#player.begin(this, dueAt);
  }
}

/** One event on its way: HandleEvent, then a Step for each PDK call that the server answers with. */
class PlayedEvent {
  readonly #player: MsgpackPlayer;
  readonly #load: Load;
  readonly #tally: Tally;
  readonly #reply: Reply;
  readonly #dueAt: number;
  readonly #ended: () => void;
  #verified = false;

  constructor(
    player: MsgpackPlayer,
    load: Load,
    tally: Tally,
    reply: Reply,
    dueAt: number,
    ended: () => void,
  ) {
    this.#player = player;
    this.#load = load;
    this.#tally = tally;
    this.#reply = reply;
    this.#dueAt = dueAt;
    this.#ended = ended;
  }

  begin(instance: number): void {
    const event = { InstanceId: instance, EventName: this.#load.outcome === 'worker' ? 'rewrite' : 'access' };
    this.#send(encodeRequest(this.#player.nextMessageId(), 'plugin.HandleEvent', [event]));
  }

  #send(request: Buffer): void {
    this.#player.send(request, (error, result) => {
      if (error === null) this.#answered(result as EventData);
      else this.#finish(false, error);
    });
  }

  #answered({ Data: call, EventId: id }: EventData): void {
    if (call === 'ret') {
      this.#finish(this.#verified, `an event to be ${this.#load.outcome} ended otherwise`);
      return;
    }
    switch (call.Method) {
      case 'kong.request.get_headers':
        this.#send(step(this.#player.nextMessageId(), STEP_MULTI_MAP, this.#reply.data, id));
        return;
      case 'kong.service.request.set_header':
        if (this.#load.outcome === 'worker') this.#tally.handledBy(String(call.Args[1]));
        this.#verified = this.#load.outcome === 'worker' || call.Args[1] === this.#reply.uuid;
        this.#send(step(this.#player.nextMessageId(), STEP, undefined, id));
        return;
      case 'kong.ctx.shared.set':
        this.#send(step(this.#player.nextMessageId(), STEP, undefined, id));
        return;
      case 'kong.response.exit':
        // Kong never comes back to this event; the connection stays in its pool.
        this.#finish(this.#load.outcome === 'rejected', 'a good request was rejected');
        return;
      default:
        this.#finish(false, `unexpected method ${call.Method}`);
    }
  }

  #finish(asExpected: boolean, what: string): void {
    if (asExpected) this.#tally.done(this.#dueAt);
    else this.#tally.failed(what);
    this.#ended();
  }
}

/** One connection, which carries one request at a time. */
class Connection {
  readonly #socket: Socket;
  #answered: Answered | undefined;

  static open(path: string): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once('error', reject).once('connect', () => resolve(new Connection(socket)));
    });
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    const reader = new MessageReader((message) => {
      const [, , error, result] = message as [number, number, string | null, unknown];
      const answered = this.#answered;
      this.#answered = undefined;
      answered?.(error, result);
    });
    socket.on('data', (chunk) => reader.push(chunk));
    socket.on('close', () => this.#answered?.('the server closed the connection', undefined));
    socket.on('error', () => socket.destroy());
  }

  ask(request: Buffer, answered: Answered): void {
    this.#answered = answered;
    this.#socket.write(request);
  }

  close(): void {
    this.#answered = undefined;
    this.#socket.destroy();
  }
}

const STEP = encode('plugin.Step');
const STEP_MULTI_MAP = encode('plugin.StepMultiMap');
const DATA = encode('Data');
const EVENT_ID = encode('EventId');

/** `[0, id, method, [{Data, EventId}]]` around data that is encoded already. Without data the key is absent. */
function step(messageId: number, method: Buffer, data: Buffer | undefined, eventId: number): Buffer {
  const head = [Buffer.from([0x94, 0]), encode(messageId), method];
  const tail = [EVENT_ID, encode(eventId)];
  return data === undefined
    ? Buffer.concat([...head, Buffer.from([0x91, 0x81]), ...tail])
    : Buffer.concat([...head, Buffer.from([0x91, 0x82]), DATA, data, ...tail]);
}
