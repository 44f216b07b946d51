import { Agent, request } from 'node:http';
import { signatureHeaders } from '../../plugins/customer-verification/client/signer.js';

/** What a load came to. */
export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Who signs: customer `n` of `count` has the certificate `bench-n` and the key `key-n`. */
export interface Customers {
  readonly count: number;
}

/**
 * Sends signed requests of customers picked at random over `connections` kept-alive connections for a time.
 *
 * @throws Error when an answer is not 200
 */
export async function runLoad(
  url: string,
  customers: Customers,
  connections: number,
  milliseconds: number,
): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const latencies: number[] = [];
  const startedAt = performance.now();
  const until = startedAt + milliseconds;
  const one = async () => {
    while (performance.now() < until) {
      const n = Math.floor(Math.random() * customers.count);
      const headers = await signatureHeaders({ certificateId: `bench-${n}`, key: `key-${n}` });
      const sentAt = performance.now();
      const status = await get(url, headers, agent);
      if (status !== 200) throw new Error(`${url} answered ${status} to customer ${n}`);
      latencies.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: connections }, one));
  agent.destroy();
  latencies.sort((a, b) => a - b);
  return {
    requestsPerSecond: (latencies.length / (performance.now() - startedAt)) * 1000,
    p50Ms: latencies[Math.floor(latencies.length * 0.5)] ?? 0,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
  };
}

function get(url: string, headers: Record<string, string>, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, headers }, (response) => {
      response.on('error', reject);
      response.on('end', () => resolve(response.statusCode ?? 0));
      response.resume();
    });
    sent.on('error', reject);
    sent.end();
  });
}
