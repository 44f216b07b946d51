import http from 'node:http';
import type { Socket } from 'node:net';
import { PluginServerError } from '../errors.js';
import type { ExchangeRecord } from './record.js';

/** A request to send again, as the page gives it. */
export interface Resend {
  readonly method: string;
  readonly target: string;
  /** A number in place of a value: that header line of the request that is repeated, whose value the page does not know. */
  readonly headers: readonly (readonly [name: string, value: string | number])[];
  /** undefined: the body of the request that is repeated, as it was. */
  readonly body: string | undefined;
  /** Whether the target is that of the request that is repeated, with what the page did not see of it. */
  readonly sameTarget: boolean;
}

/** @throws PluginServerError `INSPECTOR_RESEND` */
export function parseResend(text: string): Resend {
  let value: Partial<Record<keyof Resend, unknown>>;
  try {
    value = (JSON.parse(text) ?? {}) as typeof value;
  } catch (cause) {
    throw new PluginServerError('INSPECTOR_RESEND', 'not JSON', { cause });
  }
  const { method, target, headers, body, sameTarget } = value;
  const isHeader = (line: unknown): line is [string, string | number] =>
    Array.isArray(line) &&
    line.length === 2 &&
    typeof line[0] === 'string' &&
    (typeof line[1] === 'string' || Number.isInteger(line[1]));
  if (
    typeof method !== 'string' ||
    typeof target !== 'string' ||
    !target.startsWith('/') ||
    !Array.isArray(headers) ||
    !headers.every(isHeader) ||
    (body !== undefined && typeof body !== 'string')
  ) {
    throw new PluginServerError('INSPECTOR_RESEND', 'method, target and headers are needed');
  }
  return { method, target, headers, body, sameTarget: sameTarget === true };
}

/**
 * Sends a request through the gateway.
 *
 * @param record the request that is repeated
 * @returns the port that it came from, once its response is here
 * @throws PluginServerError `INSPECTOR_RESEND` where it cannot be sent
 */
export function sendAgain(resend: Resend, record: ExchangeRecord, gatewayPort: number): Promise<number> {
  const { request } = record;
  const headers = resend.headers
    .map(([name, value]): [string, string] => [
      name,
      typeof value === 'number' ? (request.headers[value]?.[1] ?? '') : Buffer.from(value).toString('latin1'),
    ])
    .filter(([name]) => !/^(?:connection|content-length|transfer-encoding|keep-alive|expect)$/i.test(name));
  const body = resend.body === undefined ? request.body.content : Buffer.from(resend.body);
  if (body.length > 0) headers.push(['Content-Length', String(body.length)]);
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) =>
      reject(new PluginServerError('INSPECTOR_RESEND', `cannot be sent: ${cause.message}`, { cause }));
    try {
      let port = 0;
      const sent = http.request({
        host: '127.0.0.1',
        port: gatewayPort,
        method: resend.method,
        path: resend.sameTarget ? request.target : encodeURI(resend.target).replaceAll('%25', '%'),
        headers: headers.flat(),
        agent: false,
        timeout: 60_000,
      });
      sent.on('socket', (socket: Socket) => {
        socket.once('connect', () => {
          port = socket.localPort ?? 0;
        });
      });
      sent.on('timeout', () => sent.destroy(new Error('no response within 60 s')));
      sent.on('error', fail);
      sent.on('response', (response) => {
        response.resume();
        response.on('error', fail);
        response.on('end', () => resolve(port));
      });
      sent.end(body);
    } catch (error) {
      // Node refuses methods and headers that are none.
      fail(error as Error);
    }
  });
}
