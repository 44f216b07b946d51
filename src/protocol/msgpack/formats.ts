/** First bytes of MessagePack values, named as the MessagePack specification names them. */

export const POSITIVE_FIXINT_MAX = 0x7f;
export const FIXMAP = 0x80;
export const FIXMAP_MAX = 0x8f;
export const FIXARRAY = 0x90;
export const FIXARRAY_MAX = 0x9f;
export const FIXSTR = 0xa0;
export const FIXSTR_MAX = 0xbf;
export const NIL = 0xc0;
export const NEVER_USED = 0xc1;
export const FALSE = 0xc2;
export const TRUE = 0xc3;
export const BIN8 = 0xc4;
export const BIN16 = 0xc5;
export const BIN32 = 0xc6;
export const EXT8 = 0xc7;
export const EXT16 = 0xc8;
export const EXT32 = 0xc9;
export const FLOAT32 = 0xca;
export const FLOAT64 = 0xcb;
export const UINT8 = 0xcc;
export const UINT16 = 0xcd;
export const UINT32 = 0xce;
export const UINT64 = 0xcf;
export const INT8 = 0xd0;
export const INT16 = 0xd1;
export const INT32 = 0xd2;
export const INT64 = 0xd3;
export const FIXEXT1 = 0xd4;
export const FIXEXT16 = 0xd8;
export const STR8 = 0xd9;
export const STR16 = 0xda;
export const STR32 = 0xdb;
export const ARRAY16 = 0xdc;
export const ARRAY32 = 0xdd;
export const MAP16 = 0xde;
export const MAP32 = 0xdf;
export const NEGATIVE_FIXINT = 0xe0;

/** True for the application-defined types, which Kong never sends and this codec refuses. */
export function isExtension(first: number): boolean {
  return (first >= EXT8 && first <= EXT32) || (first >= FIXEXT1 && first <= FIXEXT16);
}
