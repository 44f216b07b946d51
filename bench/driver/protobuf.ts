import { connect, type Socket } from 'node:net';
import { encodeFrame } from '../../src/protocol/protobuf/frames.js';
import { encodeMessage } from '../../src/protocol/protobuf/messages.js';
import { decodeRpcReturn, encodeRpcCall } from '../../src/protocol/protobuf/rpc.js';
import { Arrivals, type Lane } from './arrivals.js';
import type { Load, Player } from './load.js';
import { PLUGIN, sampleRequests } from './requests.js';
import type { Tally } from './tally.js';

const EMPTY = Buffer.alloc(4);
/** From here to 2^21 - 1 a sequence takes three bytes, so that the prepared call frames can be patched in place. */
const FIRST_SEQUENCE = 1 << 14;
const LAST_SEQUENCE = (1 << 21) - 1;

/** A frame as Kong sends it: the length in one write, what it announces in another one. */
interface SplitFrame {
  length: Buffer;
  payload: Buffer;
}

/** A prepared HandleEvent, and where in its payload the sequence is. */
interface Call extends SplitFrame {
  sequenceAt: number;
}

interface Reply extends SplitFrame {
  uuid: Buffer;
}

/**
 * Plays Kong over ProtoBuf:1: one event at a time per connection, a connection dropped after each exit and another one
 * opened for the next event.
 */
export class ProtobufPlayer implements Player {
  readonly #load: Load;
  readonly #tally: Tally;
  readonly #replies: Reply[];
  readonly #lanes: ConnectionLane[] = [];
  readonly #arrivals: Arrivals;
  #calls: Call[] = [];
  #sequence = FIRST_SEQUENCE;
  #turn = 0;

  constructor(load: Load, tally: Tally) {
    this.#load = load;
    this.#tally = tally;
    this.#arrivals = new Arrivals(tally, load.rate);
    this.#replies = sampleRequests(load.headerCount, load.outcome === 'rejected').map(
      ({ headers, uuid }) => ({
        ...split(encodeMessage('Struct', headers)),
        uuid: Buffer.from(uuid),
      }),
    );
  }

  async prepare(): Promise<void> {
    const event = this.#load.outcome === 'worker' ? 'rewrite' : 'access';
    const ids =
      this.#load.instances === 0 ? [1] : await startInstances(this.#load.socket, this.#load.instances);
    this.#calls = ids.map((id) => {
      const call = { sequence: FIRST_SEQUENCE, cmd_handle_event: { instance_id: id, event_name: event } };
      const payload = encodeRpcCall(call);
      return { ...split(payload), sequenceAt: payload.lastIndexOf(SEQUENCE_MARK) + 1 };
    });
    const opened: Promise<void>[] = [];
    for (let i = 0; i < this.#load.concurrency; i++) {
      const lane = new ConnectionLane(this, this.#arrivals, this.#load, this.#tally);
      this.#lanes.push(lane);
      opened.push(lane.open());
    }
    await Promise.all(opened);
  }

  start(): void {
    this.#arrivals.start(this.#lanes);
  }

  async stop(): Promise<void> {
    await this.#arrivals.stop();
    for (const lane of this.#lanes) lane.close();
  }

  /** The next call: instances take turns, every call gets a sequence of its own. */
  nextCall(): SplitFrame {
    this.#turn++;
    const sequence = this.#sequence;
    this.#sequence = sequence === LAST_SEQUENCE ? FIRST_SEQUENCE : sequence + 1;
    const { length, payload, sequenceAt } = this.#calls[this.#turn % this.#calls.length] as Call;
    const call = Buffer.from(payload);
    call[sequenceAt] = (sequence & 0x7f) | 0x80;
    call[sequenceAt + 1] = ((sequence >> 7) & 0x7f) | 0x80;
    call[sequenceAt + 2] = sequence >> 14;
    return { length, payload: call };
  }

  nextReply(): Reply {
    return this.#replies[this.#turn % this.#replies.length] as Reply;
  }
}

/** Field 1, varint, and FIRST_SEQUENCE. */
const SEQUENCE_MARK = Buffer.from([0x08, 0x80, 0x80, 0x01]);

const GET_HEADERS = 'kong.request.get_headers';
const SET_HEADER = 'kong.service.request.set_header';
const SET_SHARED = 'kong.ctx.shared.set';
const EXIT = 'kong.response.exit';

/** One of Kong's connections, opened anew when the one before had to be dropped. */
class ConnectionLane implements Lane {
  readonly #player: ProtobufPlayer;
  readonly #arrivals: Arrivals;
  readonly #load: Load;
  readonly #tally: Tally;
  /** Whether the header that the server sets can be known: not by the floor, not where it names a worker. */
  readonly #checked: boolean;
  #socket: Socket | undefined;
  #held: Buffer | undefined;
  /** The method whose argument frame comes next, `end` before the RpcReturn, none between calls. */
  #method: string | undefined;
  #busy = false;
  #verified = false;
  #dueAt = 0;
  #reply: Reply | undefined;

  constructor(player: ProtobufPlayer, arrivals: Arrivals, load: Load, tally: Tally) {
    this.#player = player;
    this.#arrivals = arrivals;
    this.#load = load;
    this.#tally = tally;
    this.#checked = load.outcome === 'verified' && load.instances > 0;
  }

  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#connect().once('connect', resolve).once('error', reject);
    });
  }

  begin(dueAt: number): void {
    this.#busy = true;
    this.#verified = false;
    this.#dueAt = dueAt;
    this.#reply = this.#player.nextReply();
    const call = this.#player.nextCall();
    if (this.#socket !== undefined) this.#send(call);
    else this.#connect().once('connect', () => this.#send(call));
  }

  close(): void {
    this.#drop();
  }

  #send({ length, payload }: SplitFrame): void {
    this.#socket?.write(length);
    this.#socket?.write(payload);
  }

  #connect(): Socket {
    const socket = connect(this.#load.socket);
    this.#socket = socket;
    this.#held = undefined;
    this.#method = undefined;
    socket.on('data', (chunk) => {
      if (socket === this.#socket) this.#read(chunk);
    });
    socket.on('error', (error) => this.#broke(socket, error.message));
    socket.on('close', () => this.#broke(socket, 'the server closed the connection'));
    return socket;
  }

  #broke(socket: Socket, what: string): void {
    if (socket !== this.#socket) return;
    this.#drop();
    this.#tally.failed(what);
    if (!this.#busy) return;
    this.#busy = false;
    // A server that is gone would be asked again without pause.
    setTimeout(() => this.#arrivals.ended(this), 10);
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }

  #read(chunk: Buffer): void {
    let bytes = this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk]);
    while (bytes.length >= 4) {
      const end = 4 + bytes.readUInt32LE(0);
      if (bytes.length < end) break;
      const frame = bytes.subarray(4, end);
      bytes = bytes.subarray(end);
      if (!this.#frame(frame)) return;
    }
    this.#held = bytes.length === 0 ? undefined : bytes;
  }

  /** False when the connection is no longer this lane's. */
  #frame(frame: Buffer): boolean {
    const method = this.#method;
    if (method === undefined) {
      this.#method = frame.length === 0 ? 'end' : frame.toString('latin1');
      return true;
    }
    this.#method = undefined;
    switch (method) {
      case GET_HEADERS:
        this.#send(this.#reply as Reply);
        return true;
      case SET_HEADER:
        if (this.#load.outcome === 'worker') this.#tally.handledBy(workerIn(frame));
        this.#verified = !this.#checked || frame.includes((this.#reply as Reply).uuid);
        this.#socket?.write(EMPTY);
        return true;
      case SET_SHARED:
        this.#socket?.write(EMPTY);
        return true;
      case EXIT:
        this.#drop();
        this.#ended(this.#load.outcome === 'rejected');
        return false;
      case 'end':
        this.#ended(this.#verified && this.#load.outcome !== 'rejected');
        return true;
      default:
        this.#tally.failed(`unexpected method ${method}`);
        this.#socket?.write(EMPTY);
        return true;
    }
  }

  #ended(asExpected: boolean): void {
    if (asExpected) this.#tally.done(this.#dueAt);
    else this.#tally.failed(`an event to be ${this.#load.outcome} ended otherwise`);
    this.#busy = false;
    this.#arrivals.ended(this);
  }
}

function split(payload: Buffer): SplitFrame {
  const frame = encodeFrame(payload);
  return { length: frame.subarray(0, 4), payload };
}

/** The process id in `x-worker`, the digits at the end of the header's value. */
function workerIn(frame: Buffer): string {
  return /\d+$/.exec(frame.toString('latin1'))?.[0] ?? 'unknown';
}

async function startInstances(path: string, count: number): Promise<number[]> {
  const ids: number[] = [];
  const socket = connect(path);
  try {
    for (let i = 0; i < count; i++) {
      const config = Buffer.from(
        JSON.stringify({ message: `instance ${i}`, __key__: `plugins:${PLUGIN}:${i}` }),
      );
      const call = encodeRpcCall({ sequence: i + 2, cmd_start_instance: { name: PLUGIN, config } });
      socket.write(encodeFrame(call));
      const status = decodeRpcReturn(await oneFrame(socket)).instance_status;
      if (status === undefined) throw new Error('StartInstance was answered without an instance');
      ids.push(status.instance_id);
    }
  } finally {
    socket.destroy();
  }
  return ids;
}

function oneFrame(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    const closed = () => reject(new Error('the server closed the connection at StartInstance'));
    const data = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length < 4 || bytes.length < 4 + bytes.readUInt32LE(0)) return;
      socket.off('data', data).off('close', closed).off('error', reject);
      resolve(bytes.subarray(4));
    };
    socket.on('data', data).once('close', closed).once('error', reject);
  });
}
