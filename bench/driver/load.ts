/** One load as the benchmark asks the driver for it. */
export interface Load {
  dialect: 'protobuf' | 'msgpack';
  socket: string;
  /** Connections, and so the most events under way at any time. */
  concurrency: number;
  /** Events per second; without it each connection begins the next event when it has ended one. */
  rate?: number | undefined;
  headerCount: number;
  /** `rejected` requests carry a forged signature; `worker` events ask which process handles them. */
  outcome: 'verified' | 'rejected' | 'worker';
  /** Instances to start and to take turns with. 0: the server knows no instances (the floor). */
  instances: number;
}

/** One side of Kong: keeps events coming until it is told to stop. */
export interface Player {
  /** Opens connections and starts instances. */
  prepare(): Promise<void>;
  /** Starts events. */
  start(): void;
  /** Lets the events under way end, closes all connections and resolves when none is left. */
  stop(): Promise<void>;
}
