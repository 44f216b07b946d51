import type { Exchange } from '../exchange.js';

const GRPC = 'application/grpc';
const UNKNOWN = 2;

/** Kong 3.9's gRPC status of an HTTP status; other errors have that of 400 or 500. */
const STATUS: ReadonlyMap<number, number> = new Map([
  ...([
    [200, 0],
    [400, 3],
    [401, 16],
    [403, 7],
    [404, 5],
    [409, 6],
    [429, 8],
    [499, 1],
  ] as const),
  ...([
    [500, 13],
    [501, 12],
    [503, 14],
    [504, 4],
  ] as const),
]);

/** The names of gRPC's statuses, by number. */
const NAMES = [
  ...['OK', 'Canceled', 'Unknown', 'InvalidArgument', 'DeadlineExceeded', 'NotFound', 'AlreadyExists'],
  ...[
    'PermissionDenied',
    'ResourceExhausted',
    'FailedPrecondition',
    'Aborted',
    'OutOfRange',
    'Unimplemented',
  ],
  ...['Internal', 'Unavailable', 'DataLoss', 'Unauthenticated'],
];

/** Whether Kong answers this request as gRPC clients expect it: gRPC is HTTP/2. */
export function isGrpcRequest({ headers, httpVersion }: Exchange): boolean {
  return httpVersion.startsWith('2') && (headers.get('content-type') ?? '').startsWith(GRPC);
}

/**
 * Makes an exit one of gRPC's where Kong does: without a content type of its own on a gRPC request, or with gRPC's. The
 * status goes into `grpc-status`, and a text into `grpc-message` in place of the body. Headers are set on the response.
 *
 * @returns the body to send
 */
export function grpcExit(exchange: Exchange, status: number, body: string | undefined): string | undefined {
  const { responseHeaders } = exchange;
  const type = responseHeaders.get('content-type');
  if (type === undefined ? !isGrpcRequest(exchange) : !type.startsWith(GRPC)) return body;
  const family = STATUS.get(Math.floor(status / 100) * 100);
  const grpcStatus = STATUS.get(status) ?? (status < 300 || status >= 400 ? family : undefined) ?? UNKNOWN;
  const given = responseHeaders.has('grpc-status');
  if (!given) responseHeaders.set('grpc-status', String(grpcStatus));
  if (body !== undefined && type === undefined) {
    responseHeaders.set('grpc-message', body);
    return '';
  }
  if (!given && !responseHeaders.has('grpc-message')) {
    responseHeaders.set('grpc-message', NAMES[grpcStatus] ?? 'Unknown');
  }
  return body ?? '';
}
