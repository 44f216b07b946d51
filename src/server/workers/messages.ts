import type { MetricsSnapshot } from '../metrics.js';
import type { EventData } from '../msgpack/event.js';
import type { SocketId } from '../socket/path.js';

/** An instance as every worker has to know it. */
export interface SharedInstance {
  readonly id: number;
  readonly name: string;
  readonly configText: string;
}

/** The Step of an event that another worker runs. */
export interface ForwardedStep {
  readonly eventId: number;
  readonly data: unknown;
  readonly error: unknown;
}

/** What a worker tells or asks the primary; `ask` is repeated in the answer. */
export type FromWorker =
  /** The plugins are loaded; each with its version. */
  | { type: 'ready'; plugins: string[] }
  | { type: 'start'; ask: number; name: string; configText: string }
  | { type: 'close'; ask: number; id: number }
  | { type: 'step'; ask: number; worker: number; step: ForwardedStep }
  | { type: 'used'; ids: number[] }
  | { type: 'answer'; ask: number; refusal?: string; data?: EventData; metrics?: MetricsSnapshot };

/** What the primary tells or asks a worker. */
export type FromPrimary =
  | { type: 'serve'; instances: SharedInstance[] }
  | { type: 'generation'; generation: number }
  /** The processes of all workers, by number. */
  | { type: 'workers'; pids: number[] }
  | { type: 'add'; ask: number; instance: SharedInstance }
  | { type: 'drop'; id: number; reason: string }
  | { type: 'step'; ask: number; step: ForwardedStep }
  | { type: 'metrics'; ask: number }
  /** Comes with the handle of the socket that replaces a removed one. */
  | { type: 'socket'; socketId: SocketId }
  | { type: 'superseded' }
  | { type: 'alone' }
  | { type: 'answer'; ask: number; id?: number; refusal?: string; data?: EventData };

/** The file descriptor under which a worker finds the listening socket. */
export const SOCKET_FD = 4;

/** The same socket once more, for a worker that has closed the other and wants to listen again. */
export const SPARE_SOCKET_FD = 5;

/** The variable that makes a process a worker: its number, from 0. */
export const WORKER_VARIABLE = 'KONG_TS_WORKER';

/**
 * What a worker is told of the socket with its start, as JSON: Node forgets messages that nobody has read when the other
 * side is gone, and a worker whose primary is killed while it starts must serve all the same.
 */
export const WORKER_SOCKET_VARIABLE = 'KONG_TS_WORKER_SOCKET';

/** What {@link WORKER_SOCKET_VARIABLE} holds. */
export interface WorkerSocketFacts {
  readonly path: string;
  readonly socketId: SocketId;
}

/** How many workers there are, for plugins that hold something in the memory of one. */
export const WORKERS_VARIABLE = 'KONG_TS_WORKERS';

/** Event ids of MsgPack:1 carry the number of their worker in their last digits of this base. */
export const MAX_WORKERS = 64;
