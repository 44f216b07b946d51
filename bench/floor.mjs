import { createServer } from 'node:net';
import { parseArgs } from 'node:util';

// The floor of the benchmark: a bare Node socket with as many reads and writes per event as the ProtoBuf dialect
// needs, which looks at nothing but the lengths of frames and answers with bytes that were prepared. No plugin server
// on Node's sockets, used as everybody uses them, can be cheaper.
//
// --verified PATH answers each event with get_headers, then with set_header, the mark for the guard and the end;
// --rejected PATH with get_headers, then with exit.

const { values } = parseArgs({ options: { verified: { type: 'string' }, rejected: { type: 'string' } } });

/** A frame with a payload of less than 128 bytes. */
function frame(payload) {
  const bytes = Buffer.from(payload);
  return Buffer.concat([Buffer.from([bytes.length, 0, 0, 0]), bytes]);
}

/** Field `number` of a message, holding text or another message. */
function field(number, content) {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
}

const UUID = '00000000-0000-4000-8000-000000000000';
const GET_HEADERS = Buffer.concat([frame('kong.request.get_headers'), frame([0x08, 100])]);
const SET_HEADER = Buffer.concat([
  frame('kong.service.request.set_header'),
  frame(Buffer.concat([field(1, 'x-customer-id'), field(2, field(3, UUID))])),
  frame('kong.ctx.shared.set'),
  frame(Buffer.concat([field(1, 'customer_verified'), field(2, field(3, UUID))])),
  frame([]),
  frame([0x08, 0x80, 0x80, 0x01]),
]);
const EXIT = Buffer.concat([
  frame('kong.response.exit'),
  frame(Buffer.concat([Buffer.from([0x08, 0x93, 0x03]), field(2, 'Access Forbidden')])),
]);

function serve(path, second) {
  createServer((socket) => {
    let waiting = false;
    let held;
    socket.on('data', (chunk) => {
      let bytes = held === undefined ? chunk : Buffer.concat([held, chunk]);
      while (bytes.length >= 4) {
        const length = bytes.readUInt32LE(0);
        if (bytes.length < 4 + length) break;
        bytes = bytes.subarray(4 + length);
        // Kong's empty answers to the calls without a result.
        if (length === 0) continue;
        socket.write(waiting ? second : GET_HEADERS);
        waiting = !waiting;
      }
      held = bytes.length === 0 ? undefined : bytes;
    });
    socket.on('error', () => socket.destroy());
  }).listen(path);
}

if (values.verified !== undefined) serve(values.verified, SET_HEADER);
if (values.rejected !== undefined) serve(values.rejected, EXIT);
