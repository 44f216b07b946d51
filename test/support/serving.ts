import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { definitionFromParts } from '../../src/plugin/dedicated.js';
import type { PluginClass } from '../../src/plugin/definition.js';
import { createLog } from '../../src/server/log.js';
import { PluginServer, type ServerOptions } from '../../src/server/server.js';
import { OwnSocket } from '../../src/server/socket/own-socket.js';
import { KongPeer } from './kong-peer.js';
import { MsgpackKongPeer } from './kong-peer-msgpack.js';

export interface Serving {
  server: PluginServer;
  socket: string;
  /** The lines of the server's log, at its most talkative. */
  lines: string[];
  peer(): KongPeer;
  msgpackPeer(): MsgpackKongPeer;
}

/** What a test has, as far as this looks at it: where to leave what is to be done at its end. */
export interface Ending {
  after(close: () => void): void;
}

/** A folder for a socket, removed after the test. */
export function socketFolder(t: Ending): string {
  const folder = mkdtempSync(join(tmpdir(), 'kts-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Serves plugins on a socket of the test's own until the test ends. */
export async function serving(
  t: Ending,
  plugins: Record<string, PluginClass>,
  options: Partial<ServerOptions> = {},
): Promise<Serving> {
  const lines: string[] = [];
  const socket = join(socketFolder(t), 'p.sock');
  const server = new PluginServer({
    plugins: Object.entries(plugins).map(([name, Plugin]) =>
      definitionFromParts(name, Plugin, '1.0.0', 0, []),
    ),
    log: createLog('debug', (line) => lines.push(line)),
    ...options,
  });
  await server.listen(new OwnSocket(socket));
  const peers: { close(): void }[] = [];
  const opened = <Peer extends { close(): void }>(peer: Peer): Peer => {
    peers.push(peer);
    return peer;
  };
  t.after(() => {
    for (const peer of peers) peer.close();
    server.close();
  });
  return {
    server,
    socket,
    lines,
    peer: () => opened(new KongPeer(socket)),
    msgpackPeer: () => opened(new MsgpackKongPeer(socket)),
  };
}
