import { signedHeaders } from '../../test/faults/rig.js';
import { FloodClient } from './client.js';

/** Good customers, at a steady rate and in a process of their own, so that nothing but the server keeps them waiting. */
const [socket = '', instanceText, rateText] = process.argv.slice(2);
const instance = Number(instanceText);
const intervalMs = 1000 / Number(rateText);
const CLIENTS = 4;

const idle = Array.from({ length: CLIENTS }, () => new FloodClient(socket));
let latencies: number[] = [];
let refused = 0;
let sent = 0;

async function request(dueAt: number): Promise<void> {
  const client = idle.pop() ?? new FloodClient(socket);
  const { end } = await client.event(instance, signedHeaders('good', sent++));
  latencies.push(performance.now() - dueAt);
  if (end !== 'returned') refused++;
  idle.push(client);
}

let dueAt = performance.now();
setInterval(() => {
  // What should have been sent by now counts from when it should have been sent.
  for (const now = performance.now(); dueAt <= now; dueAt += intervalMs) {
    request(now).catch((error: Error) => process.send?.({ fault: error.message }));
  }
}, 1);

process.on('message', () => {
  const sorted = latencies.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  process.send?.({ requests: sorted.length, p50: at(0.5), p99: at(0.99), refused });
  latencies = [];
  refused = 0;
});
process.once('disconnect', () => process.exit());
