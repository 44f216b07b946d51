/** Bytes that are needed to tell the protocols apart, but for long ids. */
const ENOUGH = 4;

/** A MessagePack array of four elements whose first is 0: every request begins so. */
const REQUEST_ARRAY = 0x94;
const REQUEST_TYPE = 0x00;
/** Heads of MessagePack's uint32 and uint64, in front of message ids from 65,536 and from 4,294,967,296 on. */
const UINT32 = 0xce;
const UINT64 = 0xcf;
/** Every method of Kong's begins so; one byte with its length is in front. */
const METHOD = 'plugin.';

/**
 * Tells by its first bytes which protocol a connection speaks; undefined while they do not suffice.
 *
 * ProtoBuf:1 begins with a little-endian length, MsgPack:1 with a request. `94 00` begins both a request and a length
 * of 148 plus a multiple of 65,536; a length below 16 MiB has a zero in its fourth byte, where a request has the rest
 * of its id or the head of its method name. Only a long id may have a zero there, too: then the method decides.
 */
export function sniffProtocol(bytes: Buffer): 'protobuf' | 'msgpack' | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes[0] !== REQUEST_ARRAY) return 'protobuf';
  if (bytes.length > 1 && bytes[1] !== REQUEST_TYPE) return 'protobuf';
  if (bytes.length < ENOUGH) return undefined;
  if (bytes[3] !== 0) return 'msgpack';
  const idBytes = bytes[2] === UINT32 ? 4 : bytes[2] === UINT64 ? 8 : 0;
  if (idBytes === 0) return 'protobuf';
  const method = 3 + idBytes + 1;
  const end = method + METHOD.length;
  if (bytes.length < end) return undefined;
  return bytes.toString('latin1', method, end) === METHOD ? 'msgpack' : 'protobuf';
}
