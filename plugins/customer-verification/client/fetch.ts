import { type RequestParts, type SigningOptions, signatureHeaders } from './signer.js';

/**
 * A copy of the request with the three headers of its signature. A body is read into memory if it is signed.
 *
 * @example
 * const request = new Request('https://api.example.com/orders', { method: 'POST', body: '{"n":1}' });
 * const signed = await signRequest(request, { certificateId, key, algorithm: 'hmac-sha256', bind: ['method', 'path', 'body'] });
 * const response = await fetch(signed);
 *
 * @throws {SignedTextError} when a part that `bind` names cannot be signed, such as a path with a raw `|`.
 */
export async function signRequest(request: Request, options: SigningOptions): Promise<Request> {
  const signed = request.clone();
  const headers = await signatureHeaders(options, await partsOf(request, options));
  for (const [name, value] of Object.entries(headers)) signed.headers.set(name, value);
  return signed;
}

/**
 * A `fetch` that signs every request.
 *
 * A redirect that it follows carries the signature of the first request: with `bind` or replay protection the second
 * one is refused, so ask for `redirect: 'manual'` there.
 *
 * @example
 * const signedFetch = signingFetch({ certificateId: 'demo-certificate', key: 'demo-key' });
 * const response = await signedFetch('http://127.0.0.1:8000/');
 */
export function signingFetch(
  options: SigningOptions,
  fetch: typeof globalThis.fetch = globalThis.fetch,
): typeof globalThis.fetch {
  return async (input, init) => fetch(await signRequest(new Request(input, init), options));
}

async function partsOf(request: Request, { bind = [] }: SigningOptions): Promise<RequestParts> {
  const { pathname, search } = new URL(request.url);
  return {
    method: request.method,
    path: pathname,
    query: search.slice(1),
    body: bind.includes('body') ? await request.arrayBuffer() : undefined,
  };
}
