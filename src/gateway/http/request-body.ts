import { createReadStream } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';

/** What an exchange is made of: node's request, or something that looks like one. */
export type ExchangeRequest = Readable &
  Pick<IncomingMessage, 'url' | 'method' | 'headers' | 'rawHeaders' | 'httpVersion'> & {
    readonly socket: {
      readonly remoteAddress?: string | undefined;
      readonly remotePort?: number | undefined;
      readonly localPort?: number | undefined;
    };
  };

/** A request body that was read: in memory, or in a file when it is larger than nginx's buffer. */
export type StoredBody = { readonly content: Buffer } | { readonly file: string; readonly bytes: number };

/**
 * The body of one request. It streams to the upstream untouched unless somebody asks for it; then it is read once
 * and kept, in memory up to `bufferBytes` and in a temporary file beyond, as nginx keeps it.
 */
export class RequestBody {
  /** A plugin has put another body in its place. */
  replaced = false;
  #stored: StoredBody | undefined;
  #reading: Promise<StoredBody> | undefined;
  #folder: string | undefined;
  /** Sees what the client sends, when it is read. */
  onChunk: ((chunk: Buffer) => void) | undefined;

  constructor(
    private readonly request: ExchangeRequest,
    private readonly bufferBytes: number,
  ) {}

  /** Whether the client announced a body. */
  get announced(): boolean {
    const { headers } = this.request;
    return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  }

  /** The body, if it has been read or replaced. */
  get stored(): StoredBody | undefined {
    return this.#stored;
  }

  /** Puts another body in place of the client's. */
  replace(content: Buffer): void {
    this.#stored = { content };
    this.replaced = true;
  }

  /** Reads all of it, once. */
  async read(): Promise<StoredBody> {
    if (this.#stored !== undefined) {
      return this.#stored;
    }
    this.#reading ??= this.#readAll();
    const stored = await this.#reading;
    this.#stored ??= stored;
    return this.#stored;
  }

  async #readAll(): Promise<StoredBody> {
    let file: { path: string; handle: FileHandle } | undefined;
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of this.request as AsyncIterable<Buffer>) {
        this.onChunk?.(chunk);
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes > this.bufferBytes) {
          file ??= await this.#openFile();
          for (const part of chunks.splice(0)) {
            await file.handle.write(part);
          }
        }
      }
    } finally {
      await file?.handle.close();
    }
    return file === undefined ? { content: Buffer.concat(chunks) } : { file: file.path, bytes };
  }

  async #openFile(): Promise<{ path: string; handle: FileHandle }> {
    this.#folder = await mkdtemp(join(tmpdir(), 'kong-gateway-body-'));
    const path = join(this.#folder, 'body');
    return { path, handle: await open(path, 'wx', 0o600) };
  }

  /** The body to send on: what was stored, else the client's own stream. */
  stream(): Readable {
    if (this.#stored === undefined) {
      if (this.onChunk !== undefined) {
        this.request.on('data', this.onChunk);
      }
      return this.request;
    }
    return 'file' in this.#stored
      ? createReadStream(this.#stored.file)
      : Readable.from([this.#stored.content]);
  }

  /** Bytes to send on; undefined when only the stream's end will tell. */
  get length(): number | undefined {
    if (this.#stored !== undefined) {
      return 'file' in this.#stored ? this.#stored.bytes : this.#stored.content.length;
    }
    if (this.request.headers['transfer-encoding'] !== undefined) {
      return undefined;
    }
    return Number(this.request.headers['content-length'] ?? 0);
  }

  /** Removes the temporary file. */
  async dispose(): Promise<void> {
    if (this.#folder !== undefined) {
      await rm(this.#folder, { recursive: true, force: true });
    }
  }
}
