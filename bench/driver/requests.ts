import { createHash } from 'node:crypto';

/** The name of the plugin under `bench/plugin`, which holds the same customers. */
export const PLUGIN = 'bench-verify';

/** Different requests a run cycles through, so that no server answers from one warm cache line. */
const DISTINCT = 64;

export interface SampleRequest {
  headers: Record<string, string>;
  /** What a good request's `x-customer-id` must become. */
  uuid: string;
}

/** Requests of that many headers, three of which are the signature's; `forged` ones carry a wrong signature. */
export function sampleRequests(headerCount: number, forged: boolean): SampleRequest[] {
  return Array.from({ length: DISTINCT }, (_, i) => {
    const customer = i * 7;
    const id = `customer-${customer}`;
    const time = String(1_790_000_000 + i);
    const key = createHash('sha256').update(`bench-key-${customer}`).digest('hex');
    const text = `${id}|${forged ? 'another key' : key}|${time}`;
    const headers: Record<string, string> = {
      host: 'api.example.com',
      'user-agent': 'curl/8.7.1',
      accept: '*/*',
      'accept-encoding': 'gzip, deflate, br',
      connection: 'keep-alive',
      'client-certificate-id': id,
      'client-request-time': time,
      'client-request-signature': createHash('sha256').update(text).digest('hex'),
    };
    for (let extra = Object.keys(headers).length; extra < headerCount; extra++) {
      headers[`x-application-header-${extra}`] = `value-of-header-${extra}-in-request-${i}`;
    }
    return { headers, uuid: `00000000-0000-4000-8000-${String(customer).padStart(12, '0')}` };
  });
}
