import { randomUUID } from 'node:crypto';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type Duplex, Readable } from 'node:stream';
import { Balancer } from './balancer.js';
import { type CatalogedPlugin, pluginCatalog } from './config/catalog.js';
import type { GatewayConfig } from './config/entities.js';
import { Exchange, type Observe } from './exchange.js';
import type { Generation } from './generation.js';
import { handleExchange } from './handle.js';
import type { TunnelEnd } from './http/tunnel.js';
import { type Redirect, UpstreamClient } from './http/upstream-client.js';
import type { GatewayLog } from './log.js';
import { LuaFunctions } from './lua/lua-functions.js';
import { PluginPlan } from './plan.js';
import type { PluginCaller } from './plugin-port.js';
import { Router } from './router/router.js';

export interface GatewayOptions {
  readonly config: GatewayConfig;
  /** The plugin server's plugins: their order, phases and schemas. */
  readonly plugins: readonly CatalogedPlugin[];
  readonly caller: PluginCaller;
  readonly log: GatewayLog;
  /** 0: any free one. */
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** nginx's client_body_buffer_size: larger bodies that a plugin reads go to a file. Default 8 KiB, as in Kong. */
  readonly bodyBufferBytes?: number;
  /** Where connections to upstreams go instead of their own address. */
  readonly redirect?: Redirect | undefined;
  /** Asked at the beginning of each request for somebody who watches it. */
  readonly observe?: Observe | undefined;
}

export interface Gateway {
  /** Binds. @throws the socket's error, e.g. EADDRINUSE */
  listen(): Promise<{ port: number }>;
  /** Stops at once: open connections end, events that run are abandoned. The caller is not closed. */
  close(): Promise<void>;
  /** Requests from now on see this config; those under way keep theirs. */
  reload(config: GatewayConfig): Promise<void>;
}

/**
 * Kong's side, for development and tests: an HTTP/1.1 proxy that routes by a declarative config and runs plugins
 * in Kong's order. Not for production.
 *
 * Plain HTTP only, so `certificate` and `preread` never run.
 *
 * @throws {LuaVmMissingError} the config has functions and wasmoon is not installed
 */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const id = randomUUID();
  const catalog = pluginCatalog(options.plugins);
  const upstreams = new UpstreamClient(options.redirect);
  const running = new Set<Promise<void>>();
  const underWay = new WeakMap<Socket, ServerResponse>();
  let count = 0;
  const generationOf = async (config: GatewayConfig): Promise<Generation> => ({
    node: { id, config, log: options.log },
    // The routes of a disabled service are not there.
    router: new Router(config.routes.filter(({ service }) => service?.enabled !== false)),
    balancer: new Balancer(config),
    plan: new PluginPlan(config, catalog, ++count),
    lua: await LuaFunctions.load(config),
  });
  let generation = await generationOf(options.config);

  const onRequest = (request: IncomingMessage, response: ServerResponse, client?: TunnelEnd) => {
    const exchange = new Exchange(request, options.bodyBufferBytes ?? 8192);
    exchange.tunnel = client;
    if (options.observe !== undefined) {
      exchange.watch(options.observe(exchange));
    }
    underWay.set(request.socket, response);
    const { lua } = generation;
    const work = handleExchange(exchange, response, generation, upstreams, { server: options.caller, lua });
    const done = work.catch((error: unknown) => {
      options.log(
        'crit',
        `gateway: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
      response.destroy();
    });
    running.add(done);
    void done.finally(() => running.delete(done));
  };

  // What is too large is refused as nginx does it, not by node's parser.
  const server = http.createServer({ requireHostHeader: false, maxHeaderSize: 2 ** 20 }, onRequest);
  server.maxHeadersCount = 0;
  const detached = new Set<Duplex>();
  const onDetached = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    detached.add(socket);
    socket.once('close', () => detached.delete(socket));
    // What breaks off shows as the end of its stream.
    socket.on('error', () => undefined);
    const response = new http.ServerResponse(request);
    response.assignSocket(socket as Socket);
    const isWebSocket = request.headers.upgrade?.toLowerCase() === 'websocket';
    response.once('finish', () => {
      if (response.statusCode === 101) return;
      // As node's server does where it has the connection itself.
      response.detachSocket(socket as Socket);
      socket.end();
      response.emit('close');
    });
    onRequest(request, response, isWebSocket ? { socket, head } : undefined);
  };
  server.on('upgrade', onDetached);
  server.on('connect', onDetached);
  server.on('clientError', (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket: Socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    // Answered as a request that has nothing but what is wrong with it, behind those before it.
    const refuse = () => {
      const later = /^[^\r\n]* HTTP\/[2-9]/.test(String(error.rawPacket ?? ''));
      const httpVersion = later ? '2.0' : '1.1';
      const nothing = { method: '', url: '', headers: {}, rawHeaders: [], httpVersion, socket };
      onDetached(
        Object.assign(Readable.from([]), nothing) as unknown as IncomingMessage,
        socket,
        Buffer.alloc(0),
      );
    };
    const before = underWay.get(socket);
    if (before === undefined || before.closed) refuse();
    else before.once('close', refuse);
  });

  return {
    listen: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(options.port, options.host ?? '127.0.0.1', () => {
          server.off('error', reject);
          resolve({ port: (server.address() as AddressInfo).port });
        });
      }),
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      for (const socket of detached) socket.destroy();
      await closed;
      upstreams.close();
      generation.lua.close();
    },
    reload: async (config) => {
      const before = generation;
      generation = await generationOf(config);
      void Promise.allSettled(running).then(() => before.lua.close());
    },
  };
}
