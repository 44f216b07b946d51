import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { encodeRequest, encodeResponse, MessageReader } from '../../src/protocol/msgpack/index.js';
import { EMPTY_FRAME, encodeFrame } from '../../src/protocol/protobuf/frames.js';
import { encodeMessage } from '../../src/protocol/protobuf/messages.js';
import {
  decodeRpcReturn,
  encodeRpcCall,
  encodeRpcReturn,
  type RpcCall,
} from '../../src/protocol/protobuf/rpc.js';
import { CliProcess } from '../support/cli.js';
import { KongPeer } from '../support/kong-peer.js';
import { MsgpackKongPeer } from '../support/kong-peer-msgpack.js';
import { socketFolder } from '../support/serving.js';

// `certificate` collects garbage before it tells what is left: what a server holds is compared, not when it last tidied.
const PLUGIN = `
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
export const Schema = [{ message: { type: 'string' } }];
export const version = '1.0.0';
export const priority = 1;
export class Plugin {
  async access(kong) {
    kong.response.setHeader('x-echo', await kong.request.getHeader('x-asked'));
  }
  rewrite() {}
  certificate(kong) {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    kong.ctx.shared.set('held', String(heapUsed + arrayBuffers));
  }
}
`;

const MIB = 1024 * 1024;
/** For what would else be waited for until the end of time. */
const PATIENCE = { timeout: 60_000 };
const ON_LINUX = process.platform === 'linux';

// Without it glibc, having seen large blocks come and go, keeps tens of megabytes of them for the next ones.
const GIVES_BACK = { MALLOC_MMAP_THRESHOLD_: String(128 * 1024) };

interface Memory {
  /** Objects and buffers. */
  readonly held: number;
  /** The whole process, where the system tells. */
  readonly resident: number | undefined;
}

/** A server in a process of its own, and a Kong that does nothing wrong. */
class Running {
  readonly server: CliProcess;
  readonly socket: string;
  private readonly closing: { close(): void }[] = [];
  private good!: KongPeer;
  private goodMsgpack!: MsgpackKongPeer;
  instance = 0;
  private asked = 0;

  constructor(folder: string) {
    mkdirSync(join(folder, 'plugins'));
    writeFileSync(join(folder, 'plugins', 'echo.mjs'), PLUGIN);
    this.socket = join(folder, 'p.sock');
    this.server = new CliProcess(['-d', join(folder, 'plugins'), '--socket', this.socket, '--linger', '0'], {
      env: { ...process.env, ...GIVES_BACK },
    });
  }

  static async start(t: TestContext): Promise<Running> {
    const running = new Running(socketFolder(t));
    t.after(async () => {
      for (const peer of running.closing) peer.close();
      await running.server.stop('SIGKILL');
    });
    await running.server.said(/server started at path/);
    running.good = running.keep(new KongPeer(running.socket));
    running.goodMsgpack = running.keep(new MsgpackKongPeer(running.socket));
    running.instance = (await running.good.start('echo')) as number;
    await running.isWell();
    return running;
  }

  get pid(): number {
    return this.server.child.pid as number;
  }

  keep<T extends { close(): void }>(peer: T): T {
    this.closing.push(peer);
    return peer;
  }

  line(): Line {
    return this.keep(new Line(this.socket));
  }

  /** Waits until the server has accepted all connections so far: it takes them one by one, in their order. */
  async accepted(): Promise<void> {
    const line = this.line();
    const { ask, answer } = question(++this.asked);
    await line.send(ask);
    await line.expect(answer);
    line.close();
  }

  /** An event over each protocol, with an answer that must come back in it and in no other. */
  async isWell(): Promise<void> {
    const one = `${++this.asked} over ProtoBuf`;
    const other = `${++this.asked} over MsgPack`;
    const [protobuf, msgpack] = await Promise.all([
      this.good.event(this.instance, 'access', { 'kong.request.get_header': { v: one } }),
      this.goodMsgpack.event(this.instance, 'access', { 'kong.request.get_header': other }),
    ]);
    assert.deepEqual([protobuf.end, protobuf.calls[1]?.args], ['returned', { k: 'x-echo', v: one }]);
    assert.deepEqual([msgpack.end, msgpack.calls[1]?.Args], ['returned', ['x-echo', other]]);
  }

  /** What the server holds, when what it was done with is gone. */
  async memory(): Promise<Memory> {
    let held = Number.POSITIVE_INFINITY;
    // What a connection held can be collected only when its end has been seen and dealt with.
    for (let i = 0; i < 3; i++) {
      await this.isWell();
      const [call] = (await this.good.event(this.instance, 'certificate')).calls;
      held = Math.min(held, Number((call?.args as { v: string } | undefined)?.v));
    }
    assert.ok(held > 0);
    return { held, resident: residentBytes(this.pid) };
  }

  /** Waits, with an event between looks at it. */
  async eventually(what: () => boolean): Promise<void> {
    while (!what()) await this.isWell();
  }

  /** Why connections were closed, one line each. */
  get closures(): string[] {
    return [...this.server.log.matchAll(/connection closed: (.*)/g)].map((match) => match[1] as string);
  }
}

/** A connection that sends whatever it is told to. */
class Line {
  readonly socket: Socket;
  closed = false;
  private received: Buffer = Buffer.alloc(0);
  private wake: () => void = () => {};

  constructor(path: string) {
    this.socket = connect(path);
    this.socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.wake();
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closed = true;
      this.wake();
    });
  }

  /** Sends, and waits until the system has it. */
  send(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.socket.write(bytes, () => resolve()));
  }

  get silent(): boolean {
    return !this.closed && this.received.length === 0;
  }

  /** Waits for as many bytes as are expected, or for the end, and compares. */
  async expect(bytes: Buffer): Promise<void> {
    while (this.received.length < bytes.length && !this.closed) await this.change();
    assert.equal(this.received.toString('hex'), bytes.toString('hex'));
  }

  async end(): Promise<void> {
    while (!this.closed) await this.change();
  }

  close(): void {
    this.socket.destroy();
  }

  private change(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }
}

const command = (call: RpcCall) => encodeFrame(encodeRpcCall(call));

/** A command with the answer it has to get, over one protocol or the other. */
function question(number: number): { ask: Buffer; answer: Buffer } {
  if (number % 2 === 0) {
    return {
      ask: command({ sequence: number, cmd_get_plugin_names: {} }),
      answer: encodeFrame(encodeRpcReturn({ sequence: number, plugin_names: { names: ['echo'] } })),
    };
  }
  return {
    ask: encodeRequest(number, 'plugin.HandleEvent', [{ InstanceId: 1, EventName: 'access' }]),
    answer: encodeResponse(number, 'no plugin instance #1', null),
  };
}

function residentBytes(pid: number): number | undefined {
  if (!ON_LINUX) return undefined;
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

test(
  'half a command and then silence, and one byte at a time: nobody else waits, and nothing is forgotten',
  PATIENCE,
  async (t) => {
    const running = await Running.start(t);
    const halves = Array.from({ length: 200 }, (_, number) => {
      const { ask, answer } = question(number + 1);
      const cut = 1 + ((number * 7) % (ask.length - 1));
      return { line: running.line(), sent: ask.subarray(0, cut), rest: ask.subarray(cut), answer };
    });
    await Promise.all(halves.map(({ line, sent }) => line.send(sent)));
    await running.isWell();

    const event = { instance_id: running.instance, event_name: 'rewrite' };
    const slow = [
      question(1001),
      question(1002),
      {
        ask: command({ sequence: 1003, cmd_handle_event: event }),
        answer: Buffer.concat([EMPTY_FRAME, encodeFrame(encodeRpcReturn({ sequence: 1003 }))]),
      },
    ].map((one) => ({ ...one, line: running.line() }));
    await running.accepted();
    const longest = Math.max(...slow.map(({ ask }) => ask.length));
    for (let at = 0; at < longest; at++) {
      for (const { line, ask } of slow) if (at < ask.length) await line.send(ask.subarray(at, at + 1));
      // Which also sees to it that the byte is read by itself.
      await running.isWell();
      for (const { line, ask } of slow) assert.ok(line.silent || at >= ask.length - 1, 'answered too early');
    }
    for (const { line, answer } of slow) await line.expect(answer);

    assert.ok(halves.every(({ line }) => line.silent));
    for (const { line, rest } of halves) await line.send(rest);
    await Promise.all(halves.map(({ line, answer }) => line.expect(answer)));
    await running.isWell();
    assert.deepEqual(running.closures, []);
  },
);

const MOST_IDLE = 10_000;
/** Fewer than wait to be accepted on any system. */
const AT_ONCE = 100;
/** Files of either process that are no connections. */
const OTHER_FILES = 200;

test('10,000 idle connections: events go on, and the memory of all comes back', PATIENCE, async (t) => {
  const running = await Running.start(t);
  const limit = Math.min(filesAllowed('self'), filesAllowed(running.pid)) - OTHER_FILES;
  const count = Math.min(MOST_IDLE, limit);
  if (count < MOST_IDLE) t.diagnostic(`${count} connections: no more files may be open at once`);
  const before = filesOpen(running.pid);
  const after: Memory[] = [];
  for (let round = 0; round < 2; round++) {
    const idle: Socket[] = [];
    t.after(() => {
      for (const socket of idle) socket.destroy();
    });
    while (idle.length < count) {
      const some = Array.from({ length: Math.min(AT_ONCE, count - idle.length) }, () =>
        connect(running.socket),
      );
      idle.push(...some);
      await Promise.all(some.map((socket) => once(socket, 'connect')));
      await running.isWell();
      await running.accepted();
    }
    let ended = 0;
    for (const socket of idle) socket.on('end', () => ended++).resume();
    await running.eventually(() => !ON_LINUX || filesOpen(running.pid) >= before + count);
    for (let i = 0; i < 20; i++) await running.isWell();
    assert.equal(ended, 0, 'the server closed idle connections');
    for (const socket of idle) socket.destroy();
    await running.eventually(() => filesOpen(running.pid) <= before);
    await running.isWell();
    after.push(await running.memory());
  }
  assert.deepEqual(running.closures, []);
  assertNoMore(t, after[1], after[0]);
});

/** Of a process; what a machine without /proc has by default where that is not known. */
function filesAllowed(pid: number | 'self'): number {
  if (!ON_LINUX) return 1024;
  return Number(/^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1]);
}

function filesOpen(pid: number): number {
  return ON_LINUX ? readdirSync(`/proc/${pid}/fd`).length : 0;
}

function assertNoMore(t: TestContext, now: Memory | undefined, then: Memory | undefined): void {
  assert.ok(now && then);
  const held = now.held - then.held;
  t.diagnostic(`${(held / MIB).toFixed(2)} MiB more held`);
  assert.ok(held < 3 * MIB, `${held} bytes more are held`);
  if (now.resident === undefined || then.resident === undefined) return;
  const resident = now.resident - then.resident;
  t.diagnostic(`${(resident / MIB).toFixed(1)} MiB more resident, of ${(now.resident / MIB).toFixed(0)}`);
  assert.ok(resident < 30 * MIB, `${resident} bytes more are resident`);
}

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const NAMES = command({ sequence: 1, cmd_get_plugin_names: {} });
const GET_STATUS = encodeRequest(1, 'plugin.GetStatus', []);

/** Bytes that end a connection, each with what the log says of it. */
const BAD: readonly (readonly [bytes: Buffer, line: RegExp])[] = [
  [hex('ffffff7f'), /^a frame of 2147483647 bytes was announced; the limit is 16777216$/],
  [Buffer.from('GET / HTTP/1.1\r\n\r\n'), /^a frame of 542393671 bytes was announced/],
  [
    encodeFrame(hex('ffffffffffffffffffffffff')),
    /^malformed ProtoBuf message: a varint of more than 10 bytes$/,
  ],
  [encodeFrame(hex('08')), /^malformed ProtoBuf message: a field that ends beyond its message$/],
  [encodeFrame(hex('0b0c')), /^malformed ProtoBuf message: wire type 3 in field 1$/],
  [Buffer.concat([NAMES, EMPTY_FRAME]), /^a frame in the middle of a command$/],
  [hex('9400 01a161 c1'), /^MessagePack byte 0xc1 at byte 5 of a message starts no value that Kong sends$/],
  [hex('9400 01a161 ddffffffff'), /^MessagePack message needs 4294967305 bytes or more/],
  [hex(`9400 01a161 ${'91'.repeat(1000)}`), /^MessagePack message nests arrays and maps more than 128 deep$/],
  [hex('9400 a178 a161 90'), /^request id must be a whole number, not a string$/],
  [Buffer.concat([GET_STATUS, encodeResponse(1, null, null)]), /^a response, where nothing was asked$/],
  [Buffer.concat([GET_STATUS, hex('c0')]), /^message must be an array, not null$/],
];

test(
  'bytes that mean nothing: each connection is closed with one line, and its neighbours go on',
  PATIENCE,
  async (t) => {
    const running = await Running.start(t);
    // In the middle of an event all the while.
    const neighbour = running.keep(new KongPeer(running.socket));
    const sequence = neighbour.send({
      cmd_handle_event: { instance_id: running.instance, event_name: 'access' },
    });
    assert.equal((await neighbour.frame())?.toString(), 'kong.request.get_header');
    await neighbour.frame();

    for (const [index, [bytes, line]] of BAD.entries()) {
      const bad = running.line();
      await bad.send(bytes);
      await bad.end();
      await running.isWell();
      await running.eventually(() => running.closures.length > index);
      assert.match(running.closures[index] as string, line);
    }
    // All at once, and with more behind what is bad.
    const crowd = BAD.flatMap(([bytes]) =>
      Array.from({ length: 5 }, () => ({ line: running.line(), bytes })),
    );
    await Promise.all(
      crowd.map(({ line, bytes }) => line.send(Buffer.concat([bytes, Buffer.alloc(200_000, bytes)]))),
    );
    await Promise.all(crowd.map(({ line }) => line.end()));
    await running.isWell();

    neighbour.socket.write(encodeFrame(encodeMessage('String', { v: 'still here' })));
    assert.equal((await neighbour.frame())?.toString(), 'kong.response.set_header');
    const echoed = encodeMessage('KV', { k: 'x-echo', v: 'still here' });
    assert.deepEqual(await neighbour.frame(), echoed);
    assert.equal((await neighbour.frame())?.length, 0);
    assert.equal(decodeRpcReturn((await neighbour.frame()) as Buffer).sequence, sequence);

    // Only now is the log complete.
    await running.server.stop();
    assert.equal(running.closures.length, BAD.length + crowd.length);
  },
);

const CONFIG_BYTES = 10 * MIB;
const PIECE = 4096;

test(
  'configurations of 10 MB in small pieces are answered, others meanwhile, and the memory comes back',
  PATIENCE,
  async (t) => {
    const running = await Running.start(t);
    const message = 'x'.repeat(CONFIG_BYTES);
    const config = Buffer.from(JSON.stringify({ message }));
    const inPieces = async (send: (piece: Buffer) => Promise<void>, bytes: Buffer) => {
      for (let at = 0; at < bytes.length; at += PIECE) {
        await send(bytes.subarray(at, at + PIECE));
        if (at % (PIECE * 500) === 0) await running.isWell();
      }
    };

    const overProtobuf = async () => {
      const peer = running.keep(new KongPeer(running.socket));
      const send = (piece: Buffer) =>
        new Promise<void>((resolve) => peer.socket.write(piece, () => resolve()));
      await inPieces(send, command({ sequence: 7, cmd_start_instance: { name: 'echo', config } }));
      const instance_id = decodeRpcReturn((await peer.frame()) as Buffer).instance_status
        ?.instance_id as number;
      const status = await peer.command({ cmd_get_instance_status: { instance_id } });
      assert.ok(isConfig(status?.instance_status?.config), 'the configuration is another one');
      await peer.command({ cmd_close_instance: { instance_id } });
      peer.close();
    };

    const overMsgpack = async () => {
      const socket = connect(running.socket);
      running.keep({ close: () => socket.destroy() });
      const answered = new Promise<unknown>((resolve, reject) => {
        const reader = new MessageReader(resolve);
        socket.on('data', (chunk) => reader.push(chunk));
        socket.on('close', () => reject(new Error('closed instead of answered')));
      });
      const send = (piece: Buffer) => new Promise<void>((resolve) => socket.write(piece, () => resolve()));
      const request = encodeRequest(7, 'plugin.StartInstance', [{ Name: 'echo', Config: config }]);
      await inPieces(send, request);
      const [, id, error, result] = (await answered) as [
        1,
        number,
        string | null,
        { Id: number; Config: unknown },
      ];
      assert.deepEqual([id, error], [7, null]);
      assert.ok(isConfig(result.Config), 'the configuration is another one');
      socket.destroy();
      const closing = running.keep(new MsgpackKongPeer(running.socket));
      await closing.request('plugin.CloseInstance', result.Id);
      closing.close();
    };

    // Not assert.deepEqual, which would print all of it.
    const isConfig = (given: unknown) => (given as { message?: unknown } | undefined)?.message === message;

    const before = await running.memory();
    const after: Memory[] = [];
    for (let round = 0; round < 3; round++) {
      await overProtobuf();
      await overMsgpack();
      after.push(await running.memory());
    }
    assertNoMore(t, after[0], before);
    assertNoMore(t, after.at(-1), before);
  },
);
