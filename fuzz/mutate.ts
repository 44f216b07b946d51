/** Random numbers that a seed reproduces (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Makes bad bytes of good ones: `random` decides how, `corpus` is what parts are taken from. Never empty. */
export function mutate(corpus: readonly Buffer[], random: () => number): Buffer {
  const below = (limit: number) => Math.floor(random() * limit);
  const pick = () => corpus[below(corpus.length)] as Buffer;
  let bytes: Buffer = Buffer.from(pick());
  for (let times = 1 + below(3); times > 0; times--) {
    const at = below(bytes.length + 1);
    switch (below(9)) {
      case 0: // a flipped bit
        if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << below(8));
        break;
      case 1: // truncated
        bytes = bytes.subarray(0, at);
        break;
      case 2: // spliced
        bytes = Buffer.concat([bytes.subarray(0, at), pick().subarray(below(8))]);
        break;
      case 3: // an oversized or wrong length in front
        if (bytes.length >= 4) bytes.writeUInt32LE(below(2) === 0 ? below(2 ** 32) : below(64), 0);
        break;
      case 4: // an unknown field, or a wrong wire type
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from([below(256), below(256)]),
          bytes.subarray(at),
        ]);
        break;
      case 5: // an endless varint
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.alloc(12, 0xff), bytes.subarray(at)]);
        break;
      case 6: // deep nesting of a Value, framed
        bytes = framed(nestedValue(1 + below(2000)));
        break;
      case 7: // deep nesting of MessagePack, in a request
        bytes = Buffer.concat([
          Buffer.from([0x94, 0x00, 0x01, 0xa1, 0x61]),
          Buffer.alloc(1 + below(5000), 0x91),
        ]);
        break;
      default: // noise
        bytes = Buffer.from(Array.from({ length: 1 + below(200) }, () => below(256)));
    }
  }
  return bytes.length === 0 ? Buffer.from([below(256)]) : Buffer.from(bytes);
}

function framed(payload: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(payload.length);
  return Buffer.concat([length, payload]);
}

/** A list in a list, `depth` times, as the config of an InstanceStatus would hold it. */
function nestedValue(depth: number): Buffer {
  let value: Buffer = Buffer.from([0x08, 0x00]);
  for (let i = 0; i < depth && value.length < 8000; i++) {
    const inner = Buffer.concat([Buffer.from([0x0a]), varint(value.length), value]);
    value = Buffer.concat([Buffer.from([0x32]), varint(inner.length), inner]);
  }
  return value;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}
