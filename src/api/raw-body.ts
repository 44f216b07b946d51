import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { PdkError } from '../pdk/errors.js';
import { bridgeOf } from '../pdk/kong.js';
import { RAW_BODY_SOURCE } from '../pdk/methods.js';
import { BodyFile } from '../pdk/raw-body.js';
import type { Kong } from '../pdk/types.js';

/** The body of a request, all of which Kong has received. */
export interface RawBody {
  /** Its length in bytes. */
  readonly bytes: number;
  /** The bytes in pieces, from the first; each call starts anew. Good as long as the event lasts. */
  chunks(): AsyncIterable<Uint8Array>;
}

/**
 * The raw body without holding it in memory: Kong keeps what is larger than nginx's buffer in a file, and this reads
 * the file piece by piece. Over `MsgPack:1` Kong refuses such a body, as it does for `getRawBody`.
 *
 * While Kong is still receiving the upload, the event's deadline does not run.
 *
 * ```ts
 * import { openRawBody } from 'kong-ts-pluginserver';
 *
 * const body = await openRawBody(kong);
 * if (body.bytes > 1_000_000) await kong.response.exit(413);
 * const digest = createHash('sha256');
 * for await (const chunk of body.chunks()) digest.update(chunk);
 * ```
 *
 * @throws PdkError `PDK_FAILED` when the file cannot be read
 */
export async function openRawBody(kong: Kong): Promise<RawBody> {
  const source = await bridgeOf(kong).call(RAW_BODY_SOURCE, []);
  if (!(source instanceof BodyFile)) {
    const content = source as Uint8Array;
    return { bytes: content.length, chunks: () => once(content) };
  }
  try {
    const { size } = await stat(source.path);
    return { bytes: size, chunks: () => fileChunks(source) };
  } catch (error) {
    throw unreadable(source, error);
  }
}

async function* once(content: Uint8Array): AsyncGenerator<Uint8Array> {
  if (content.length > 0) yield content;
}

async function* fileChunks(source: BodyFile): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(source.path) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw unreadable(source, error);
  }
}

function unreadable({ path }: BodyFile, cause: unknown): PdkError {
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  return new PdkError(
    'PDK_FAILED',
    RAW_BODY_SOURCE.wire,
    `the body is in ${path}, which cannot be read: ${reason}`,
    {
      cause,
    },
  );
}
