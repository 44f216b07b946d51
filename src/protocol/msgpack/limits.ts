/** Bounds on one incoming message. They hold back a peer, not Kong: its largest messages are bodies. */
export interface MessageLimits {
  /** Bytes of one whole message. */
  maxBytes: number;
  /** Arrays and maps inside one another; a bare scalar has depth 0. */
  maxDepth: number;
  /** Values in one message, map keys included: an empty map is one byte on the wire, many in memory. */
  maxValues: number;
}

export const DEFAULT_LIMITS: Readonly<MessageLimits> = {
  maxBytes: 16 * 1024 * 1024,
  maxDepth: 128,
  maxValues: 1024 * 1024,
};
