import type { HeaderList } from './header-list.js';

/** RFC 9110 §7.6.1: meant for one connection, never forwarded. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** What stays on this connection: the fixed names and those that `Connection` nominates, in lower case. */
export function hopByHopNames(headers: HeaderList): Set<string> {
  const names = new Set(HOP_BY_HOP);
  for (const value of headers.getAll('connection')) {
    for (const name of value.split(',')) {
      names.add(name.trim().toLowerCase());
    }
  }
  return names;
}
