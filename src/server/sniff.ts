/** Bytes that are needed to tell the protocols apart in every case. */
const ENOUGH = 4;

/** A MessagePack array of four elements whose first is 0: every request begins so. */
const REQUEST_ARRAY = 0x94;
const REQUEST_TYPE = 0x00;
/** MessagePack's uint32, in front of message ids from 65,536 on. */
const UINT32 = 0xce;

/**
 * Tells by its first bytes which protocol a connection speaks; undefined while they do not suffice.
 *
 * ProtoBuf:1 begins with a little-endian length, MsgPack:1 with a request. `94 00` begins both a request and a length
 * of 148 plus a multiple of 65,536; a length below 16 MiB has a zero in its fourth byte, where a request has the rest
 * of its id or the head of its method name, neither of which is zero but in an id written as uint32.
 */
export function sniffProtocol(bytes: Buffer): 'protobuf' | 'msgpack' | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes[0] !== REQUEST_ARRAY) return 'protobuf';
  if (bytes.length > 1 && bytes[1] !== REQUEST_TYPE) return 'protobuf';
  if (bytes.length < ENOUGH) return undefined;
  return bytes[3] !== 0 || bytes[2] === UINT32 ? 'msgpack' : 'protobuf';
}
