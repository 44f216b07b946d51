import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One entry of a recorded conversation: bytes one side wrote (`dir`, `wireHex`), or something that happened (`ev`). */
export interface RecordedFrame {
  conn: number;
  dir?: 'kong>server' | 'server>kong';
  what?: string;
  ev?: string;
  wireHex?: string;
}

interface RecordedClient {
  statusLine?: string;
}

export interface Conversation {
  name: string;
  frames: RecordedFrame[];
  client?: RecordedClient | RecordedClient[] | null;
}

/** What a replaying server does or expects next, on the connection of that recorded number. */
export type Step =
  | { kind: 'expect' | 'send'; conn: number; wire: Buffer; what: string }
  | { kind: 'close'; conn: number };

export type Protocol = 'protobuf' | 'msgpack';

const FIXTURES = join(import.meta.dirname, '../../fixtures/kong-captures');

export function readFixture<T>(protocol: Protocol, name: 'conversations' | 'methods'): T {
  return JSON.parse(readFileSync(join(FIXTURES, protocol, `${name}.json`), 'utf8'));
}

export function conversation(protocol: Protocol, name: string): Conversation {
  const found = readFixture<Conversation[]>(protocol, 'conversations').find((one) => one.name === name);
  if (!found) throw new Error(`no recorded conversation ${name}`);
  return found;
}

/** The server's part as a script. A connection that ended without Kong ending it was ended by the server. */
export function scriptOf({ frames }: Conversation): Step[] {
  const steps: Step[] = [];
  const over = new Set<number>();
  const used = new Set<number>();
  for (const { conn, dir, ev, wireHex, what = '' } of frames) {
    if (over.has(conn)) continue;
    if (ev?.startsWith('peer-closed')) over.add(conn);
    else if (
      ev !== undefined &&
      (/^server (closes|destroys)/.test(ev) || (ev === 'closed' && used.has(conn)))
    ) {
      over.add(conn);
      steps.push({ kind: 'close', conn });
    } else if (dir && ev !== 'chunk') {
      used.add(conn);
      const kind = dir === 'kong>server' ? 'expect' : 'send';
      steps.push({ kind, conn, wire: Buffer.from(wireHex ?? '', 'hex'), what });
    }
  }
  return steps;
}

/** Whether Kong opened the connection within the conversation. */
export function isAccepted({ frames }: Conversation, conn: number): boolean {
  return frames.some((frame) => frame.ev === 'accept' && frame.conn === conn);
}

/** What the clients of the conversation got, one status code per request. */
export function clientStatuses({ client }: Conversation): number[] {
  const clients = Array.isArray(client) ? client : client ? [client] : [];
  return clients.map(({ statusLine }) => Number(statusLine?.split(' ')[1]));
}
