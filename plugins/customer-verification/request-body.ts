import { createHash } from 'node:crypto';
import { type Kong, openRawBody } from 'kong-ts-pluginserver';
import { BodyTooLargeError } from './errors.js';

/**
 * Lower-case hex SHA-256 of the request's body, read piece by piece from where Kong keeps it.
 *
 * @throws {BodyTooLargeError} for more than `maxBytes`, none of which is read then
 */
export async function bodySha256(kong: Kong, maxBytes: number): Promise<string> {
  const body = await openRawBody(kong);
  if (body.bytes > maxBytes) throw new BodyTooLargeError(`the body has ${body.bytes} bytes`);
  const digest = createHash('sha256');
  for await (const chunk of body.chunks()) digest.update(chunk);
  return digest.digest('hex');
}
