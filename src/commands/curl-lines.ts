import { signatureHeaders } from '../../plugins/customer-verification/client/signer.js';

/** The customer of db/demo.sql. */
const DEMO = { certificateId: 'demo-certificate', key: 'demo-key' };

/** A request to try, and the status it gets. */
export interface CurlLine {
  readonly outcome: string;
  readonly command: string;
}

/** Requests of the demo customer to paste: a good one, one with a bad signature, one without its time header. */
export async function curlLines(url: string): Promise<CurlLine[]> {
  const good = await signatureHeaders(DEMO);
  const forged = { ...good, 'client-request-signature': '0'.repeat(64) };
  const { 'client-request-time': _, ...incomplete } = good;
  return [
    { outcome: 'good signature: 200', command: curl(url, good) },
    { outcome: 'bad signature: 403', command: curl(url, forged) },
    { outcome: 'missing header: 400', command: curl(url, incomplete) },
  ];
}

function curl(url: string, headers: Record<string, string>): string {
  const flags = Object.entries(headers).map(([name, value]) => `-H '${name}: ${value}'`);
  return ['curl -i', ...flags, url].join(' ');
}
