/** How the gateway reaches its plugin server. */
export interface RpcOptions {
  /** Path of the server's unix socket. */
  socketPath: string;
  /** Longest silence while an answer is due, per read. Kong: 60 s. */
  readTimeoutMs?: number;
  /** How long an idle connection stays in the pool. Kong: 60 s. */
  idleTimeoutMs?: number;
  /** Longest wait for another request's start of the same instance. Kong: 10 s. */
  claimTimeoutMs?: number;
  /** What Kong would write to its error log. */
  log?: (level: 'warn' | 'error', message: string) => void;
}

export type RpcSettings = Required<RpcOptions>;

export function withDefaults(options: RpcOptions): RpcSettings {
  return {
    readTimeoutMs: 60_000,
    idleTimeoutMs: 60_000,
    claimTimeoutMs: 10_000,
    log: () => undefined,
    ...options,
  };
}
