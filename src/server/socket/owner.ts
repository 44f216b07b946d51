import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { encodeRequest } from '../../protocol/msgpack/messages.js';
import { encodeFrame } from '../../protocol/protobuf/frames.js';
import { encodeRpcCall } from '../../protocol/protobuf/rpc.js';
import { fileAt, SocketPathError } from './path.js';

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

/**
 * Makes sure that taking over a socket path takes it from nobody but a plugin server of the same user, which is what
 * `kong reload` does: it starts the new server while the old one still serves. A dead socket may be taken over, too.
 *
 * @throws SocketPathError `SOCKET_PATH_IN_USE` naming what is there
 */
export async function assertMayTakeOver(path: string): Promise<void> {
  const file = fileAt(path);
  if (file === undefined) return;
  if (!file.isSocket()) throw inUse(path, 'is there already and is no socket');
  for (const question of QUESTIONS) {
    const found = await ask(path, question);
    if (found === 'dead') return;
    if (found === 'forbidden') {
      // What a server of another user's has left behind must not keep this one from starting.
      if (boundNames()?.every((name) => !isAt(name, path))) return;
      throw inUse(path, `belongs to another user (uid ${file.uid})`);
    }
    const uid = process.getuid?.();
    if (uid !== undefined && file.uid !== uid) {
      throw inUse(path, `is a live server of another user's (uid ${file.uid}, this is ${uid})`);
    }
    if (found === 'answers') return;
  }
  // One that hangs answers nothing, and must not keep its successor out.
  if (boundNames()?.some((name) => name !== path && isAt(name, path))) return;
  throw inUse(path, 'leads to a live server that is no plugin server');
}

function inUse(path: string, what: string): SocketPathError {
  return new SocketPathError(
    'SOCKET_PATH_IN_USE',
    `cannot listen on ${path}: it ${what}; stop that first, or choose another path`,
  );
}

function ask(path: string, question: Buffer): Promise<'answers' | 'silent' | 'dead' | 'forbidden'> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (result: 'answers' | 'silent' | 'dead' | 'forbidden') => {
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
    socket.on('data', () => end('answers'));
    socket.on('end', () => end('silent'));
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (connected) end('silent');
      else end(code === 'EACCES' || code === 'EPERM' ? 'forbidden' : 'dead');
    });
  });
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
