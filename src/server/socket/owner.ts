import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { ProtocolError } from '../../protocol/errors.js';
import { encodeRequest } from '../../protocol/msgpack/messages.js';
import { MessageReader } from '../../protocol/msgpack/reader.js';
import { encodeFrame } from '../../protocol/protobuf/frames.js';
import { encodeRpcCall } from '../../protocol/protobuf/rpc.js';
import { besideOf, fileAt, SocketPathError } from './path.js';

/** How long a live server may take to say what it is, each time it is asked. */
const ANSWER_MS = 1000;

/**
 * Questions that every plugin server answers, in its protocol. The stock JavaScript server dies of bytes that are not
 * MsgPack:1, so that comes first; one that speaks ProtoBuf:1 only takes it for the beginning of a long frame.
 */
const QUESTIONS = [
  encodeRequest(1, 'plugin.GetStatus', []),
  encodeFrame(encodeRpcCall({ sequence: 1, cmd_get_plugin_names: {} })),
];

/** Whom a server takes its path from. */
export interface Predecessor {
  /** Whether somebody serves there, and Kong lacks nothing until the successor is ready. */
  readonly alive: boolean;
  /** What keeps the ids that it gives out apart from its predecessor's; see {@link InstanceIds}. */
  readonly generation: number;
}

const NOBODY: Predecessor = { alive: false, generation: 0 };
/** It may only be slow: its successor takes over when it can serve, and no earlier. */
const SILENT: Predecessor = { alive: true, generation: 0 };

/**
 * Makes sure that taking over a socket path takes it from nobody but a plugin server of the same user, which is what
 * `kong reload` does: it starts the new server while the old one still serves. A dead socket may be taken over, too.
 *
 * @throws SocketPathError `SOCKET_PATH_IN_USE` naming what is there
 */
export async function assertMayTakeOver(path: string): Promise<Predecessor> {
  const file = fileAt(path);
  if (file === undefined) return NOBODY;
  if (!file.isSocket()) throw inUse(path, 'is there already and is no socket');
  for (const question of QUESTIONS) {
    const found = await ask(path, question);
    if (found === 'dead') return NOBODY;
    if (found === 'forbidden') {
      // What a server of another user's has left behind must not keep this one from starting.
      if (boundNames()?.every((name) => !isAt(name, path))) return NOBODY;
      throw inUse(path, `belongs to another user (uid ${file.uid})`);
    }
    const uid = process.getuid?.();
    if (uid !== undefined && file.uid !== uid) {
      throw inUse(path, `is a live server of another user's (uid ${file.uid}, this is ${uid})`);
    }
    if (typeof found === 'object') return { alive: true, generation: generationAfter(found) };
  }
  // One that hangs answers nothing, and must not keep its successor out.
  const own = besideOf(path);
  if (boundNames()?.some((name) => name !== path && name !== own && isAt(name, path))) return SILENT;
  throw inUse(path, 'leads to a live server that is no plugin server');
}

/** Whether a plugin server, ours or another, answers at a path within a second. */
export async function isPluginServer(path: string): Promise<boolean> {
  for (const question of QUESTIONS) {
    const found = await ask(path, question);
    if (typeof found === 'object') return isAnswer(found);
    if (found !== 'silent') return false;
  }
  return false;
}

/** A list of MsgPack:1 (a response, or a notification before one), or a frame of ProtoBuf:1; no other server's greeting. */
function isAnswer(bytes: Buffer): boolean {
  const isList = bytes[0] === 0x94 || bytes[0] === 0x93;
  return isList || (bytes.length >= 4 && bytes.readUInt32LE(0) === bytes.length - 4);
}

function inUse(path: string, what: string): SocketPathError {
  return new SocketPathError(
    'SOCKET_PATH_IN_USE',
    `cannot listen on ${path}: it ${what}; stop that first, or choose another path`,
  );
}

type Found = Buffer | 'silent' | 'dead' | 'forbidden';

function ask(path: string, question: Buffer): Promise<Found> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (result: Found) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => end('silent'), ANSWER_MS);
    let connected = false;
    socket.on('connect', () => {
      connected = true;
      socket.write(question);
    });
    socket.on('data', end);
    socket.on('end', () => end('silent'));
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (connected) end('silent');
      else end(code === 'EACCES' || code === 'EPERM' ? 'forbidden' : 'dead');
    });
  });
}

/** From the answer of a server of ours; every other one's ids are as good as any. */
function generationAfter(answer: Buffer): number {
  let status: unknown;
  try {
    const reader = new MessageReader((message) => {
      status = Array.isArray(message) ? message[3] : undefined;
    });
    reader.push(answer);
  } catch (error) {
    // It speaks ProtoBuf:1 only.
    if (!(error instanceof ProtocolError)) throw error;
  }
  return (status as { Generation?: unknown } | null | undefined)?.Generation === 0 ? 1 : 0;
}

/** The names under which unix sockets are bound, of whatever user; undefined where the system does not say. */
function boundNames(): string[] | undefined {
  try {
    const lines = readFileSync('/proc/net/unix', 'utf8').split('\n');
    return lines.map((line) => line.slice(line.indexOf('/')));
  } catch {
    return undefined;
  }
}

/** Whether a socket of this name may be the one at the path: ours are bound beside it and renamed, see SocketPath. */
function isAt(name: string, path: string): boolean {
  if (name === path) return true;
  return name.startsWith(`${path}.`) && /^\d+$/.test(name.slice(path.length + 1));
}
