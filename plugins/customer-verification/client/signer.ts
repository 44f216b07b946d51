import { DEFAULT_HEADER_NAMES, type HeaderNames } from './header-names.js';
import { type Algorithm, type Bindable, type SignedParts, signedText } from './signed-text.js';

/** Who signs, and how; it has to be what the gateway's plugin is configured for. */
export interface SigningOptions {
  /** The customer's certificate id. */
  readonly certificateId: string;
  /** The customer's key. It never leaves this module. */
  readonly key: string;
  /** Default: `sha256`. */
  readonly algorithm?: Algorithm;
  /** The parts of the request that the signature is bound to; their order does not matter. Default: none. */
  readonly bind?: readonly Bindable[];
  /** The names of the three headers. Default: {@link DEFAULT_HEADER_NAMES}. */
  readonly headers?: Partial<HeaderNames>;
  /** The time to send. Default: the present in Unix milliseconds, each one later than the one before. */
  readonly time?: string | (() => string);
}

/** The parts of a request that can be signed. Only those that `bind` names are needed. */
export interface RequestParts {
  readonly method?: string | undefined;
  readonly path?: string | undefined;
  readonly query?: string | undefined;
  readonly body?: string | Uint8Array | ArrayBuffer | undefined;
}

const encoder = new TextEncoder();

/**
 * The three headers of a signed request, by name. Uses Web Crypto: Node, browsers (in a secure context), workers.
 *
 * @example
 * const headers = await signatureHeaders({ certificateId: 'demo-certificate', key: 'demo-key' });
 * await fetch('http://127.0.0.1:8000/', { headers });
 *
 * @throws {SignedTextError} when a part that `bind` names is missing or cannot be signed.
 */
export async function signatureHeaders(
  options: SigningOptions,
  request: RequestParts = {},
): Promise<Record<string, string>> {
  const { certificateId, key, algorithm = 'sha256', bind = [] } = options;
  const time = typeof options.time === 'function' ? options.time() : (options.time ?? nextTime());
  const bodySha256 = bind.includes('body') ? await sha256Hex(request.body ?? '') : undefined;
  const parts: SignedParts = {
    certificateId,
    time,
    method: request.method,
    path: request.path,
    query: request.query,
    bodySha256,
  };
  const text = signedText(parts, key, algorithm, bind);
  const names = { ...DEFAULT_HEADER_NAMES, ...options.headers };
  return {
    [names.certificateId]: certificateId,
    [names.signature]: await digestHex(algorithm, key, text),
    [names.time]: time,
  };
}

async function digestHex(algorithm: Algorithm, key: string, text: string): Promise<string> {
  if (algorithm === 'sha256') return sha256Hex(text);
  const hmac = { name: 'HMAC', hash: algorithm === 'hmac-sha512' ? 'SHA-512' : 'SHA-256' };
  const imported = await crypto.subtle.importKey('raw', encoder.encode(key), hmac, false, ['sign']);
  return hex(await crypto.subtle.sign('HMAC', imported, encoder.encode(text)));
}

async function sha256Hex(data: string | Uint8Array | ArrayBuffer): Promise<string> {
  const bytes = typeof data === 'string' ? encoder.encode(data) : new Uint8Array(data);
  return hex(await crypto.subtle.digest('SHA-256', bytes));
}

function hex(buffer: ArrayBuffer): string {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

let lastTime = 0;

// With replay protection a signature is good once: two requests in one millisecond must not sign the same time.
function nextTime(): string {
  lastTime = Math.max(Date.now(), lastTime + 1);
  return String(lastTime);
}
