/** One load as the benchmark asks the driver for it. */
export interface Load {
  dialect: 'protobuf' | 'msgpack';
  socket: string;
  /** Events under way at any time, each on a connection of its own. */
  concurrency: number;
  headerCount: number;
  /** `rejected` requests carry a forged signature; `worker` events ask which process handles them. */
  outcome: 'verified' | 'rejected' | 'worker';
  /** Instances to start and to take turns with. 0: the server knows no instances (the floor). */
  instances: number;
}

/** One side of Kong: keeps `concurrency` events going until it is told to stop. */
export interface Player {
  /** Opens connections and starts instances. */
  prepare(): Promise<void>;
  /** Starts events; each one that ends is followed by the next until `stop`. */
  start(): void;
  /** Lets the events under way end, closes all connections and resolves when none is left. */
  stop(): Promise<void>;
}
