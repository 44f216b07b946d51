import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { encodeFrame, FrameReader } from '../../../src/protocol/protobuf/frames.js';
import { readIntoSharedBuffer } from '../../../src/server/socket/shared-buffer.js';

const folder = mkdtempSync(join(tmpdir(), 'kts-shared-buffer-'));
after(() => rmSync(folder, { recursive: true }));
let count = 0;

/** A listener whose connections answer each frame with its bytes, and the memory that they were read into. */
async function echo(
  shared: boolean,
): Promise<{ server: Server; path: string; memory: Set<ArrayBufferLike> }> {
  const memory = new Set<ArrayBufferLike>();
  const accept = (socket: Socket) => {
    const frames = new FrameReader((payload) => void socket.write(encodeFrame(payload)));
    socket.on('data', (chunk) => {
      memory.add(chunk.buffer);
      frames.push(chunk);
    });
    socket.on('end', () => socket.destroy());
  };
  const server = createServer({ allowHalfOpen: true }, accept);
  // Before it listens there is no handle, as there may be none in a Node to come.
  if (!shared) readIntoSharedBuffer(server, accept);
  const path = join(folder, `${count++}.sock`);
  server.listen(path);
  await once(server, 'listening');
  if (shared) readIntoSharedBuffer(server, accept);
  return { server, path, memory };
}

async function open(path: string): Promise<{ socket: Socket; frames: string[]; next(): Promise<unknown> }> {
  const socket = connect(path);
  await once(socket, 'connect');
  const frames: string[] = [];
  const reader = new FrameReader((payload) => {
    frames.push(payload.toString());
    socket.emit('frame');
  });
  socket.on('data', (chunk) => reader.push(chunk));
  return { socket, frames, next: () => once(socket, 'frame') };
}

for (const shared of [true, false]) {
  test(`pieces of frames on two connections are kept apart, ${shared ? 'in one buffer' : 'without the handle'}`, async (t) => {
    const { server, path, memory } = await echo(shared);
    t.after(() => server.close());
    const a = await open(path);
    const b = await open(path);
    const long = 'a'.repeat(100_000);
    const frame = encodeFrame(Buffer.from(long));
    let sent = 0;
    // A length in two pieces, a frame in three, and a whole one of the other connection behind each.
    for (const [index, end] of [2, 5, 70_000, frame.length].entries()) {
      a.socket.write(frame.subarray(sent, end));
      sent = end;
      const other = b.next();
      b.socket.write(encodeFrame(Buffer.from(`b${index}`.repeat(200))));
      await other;
    }
    while (a.frames.length === 0) await a.next();
    assert.deepEqual(a.frames, [long]);
    assert.deepEqual(
      b.frames,
      [0, 1, 2, 3].map((index) => `b${index}`.repeat(200)),
    );
    if (shared) assert.equal(memory.size, 1);
    else assert.ok(memory.size > 1);
    for (const { socket } of [a, b]) {
      socket.end();
      await once(socket, 'close');
    }
  });
}

test('a connection that is paused reads nothing, and everything when it goes on', async (t) => {
  let accepted: ((socket: Socket) => void) | undefined;
  const arrived = new Promise<Socket>((resolve) => {
    accepted = resolve;
  });
  const accept = (socket: Socket) => accepted?.(socket);
  const server = createServer({ allowHalfOpen: true }, accept);
  t.after(() => server.close());
  const path = join(folder, 'paused.sock');
  server.listen(path);
  await once(server, 'listening');
  readIntoSharedBuffer(server, accept);
  const client = connect(path);
  const socket = await arrived;
  let got = 0;
  socket.on('data', (chunk) => {
    got += chunk.length;
    if (got === 1) socket.pause();
  });
  client.write('x');
  await once(socket, 'pause');
  // More than the two sockets hold: it is written when it is read.
  const rest = Buffer.alloc(4_000_000, 'y');
  const written = new Promise<void>((resolve) => client.end(rest, resolve));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(got, 1);
  socket.resume();
  await Promise.all([written, once(socket, 'end')]);
  assert.equal(got, 1 + rest.length);
  socket.end();
  await once(client, 'close');
});
