import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { finished } from 'node:stream/promises';
import { ERROR_MESSAGES } from '../pdk/error-body.js';
import { hostHeaderOf } from './balancer.js';
import type { Exchange, UpstreamTarget } from './exchange.js';
import type { Generation } from './generation.js';
import type { GatewayNode } from './host/context.js';
import { refusalOf } from './http/refusals.js';
import { type UpstreamClient, UpstreamError } from './http/upstream-client.js';
import type { ExchangeObserver } from './observer.js';
import { PluginEventError } from './plugin-port.js';
import {
  adoptUpstreamHead,
  sendError,
  sendExit,
  sendUpstreamBuffer,
  streamUpstream,
  switchProtocols,
} from './respond.js';
import { escapePath, upstreamPath } from './router/path.js';
import type { RouteMatch } from './router/router.js';
import { type PluginCallers, PluginRunner, ResponseFilterError } from './run-phase.js';

/** One request, with all that handling it takes. */
interface Handling {
  readonly exchange: Exchange;
  readonly response: ServerResponse;
  readonly generation: Generation;
  readonly upstreams: UpstreamClient;
  readonly node: GatewayNode;
  readonly runner: PluginRunner;
  /** The client has gone. */
  readonly gone: AbortSignal;
}

/**
 * One request from its head to its log phase: rewrite, routing, access, upstream, response, log.
 *
 * Resolves when the log phase is over; rejects only on a fault of the gateway itself.
 */
export async function handleExchange(
  exchange: Exchange,
  response: ServerResponse,
  generation: Generation,
  upstreams: UpstreamClient,
  callers: PluginCallers,
): Promise<void> {
  const closed = new AbortController();
  response.once('close', () => closed.abort());
  const { observer } = exchange;
  const node = observer === undefined ? generation.node : observedNode(generation.node, observer);
  const runner = new PluginRunner(exchange, node, callers);
  const handling = { exchange, response, generation, upstreams, node, runner, gone: closed.signal };
  runner.plugins = generation.plan.global();
  try {
    await answer(handling);
  } catch (error) {
    try {
      answerFailure(handling, error);
    } catch (failure) {
      // The page for a failure passes the filters, too.
      node.log(
        'error',
        `failed to run a filter: ${(failure as Error).message}, request_id: "${exchange.id}"`,
      );
      response.destroy();
    }
  }
  // A response that broke off is at its end, too.
  if (exchange.upstreamTunnel === undefined) await finished(response).catch(() => undefined);
  exchange.timing.finished = Date.now();
  observer?.phaseEnded('upstream');
  observer?.answered();
  await runner.log();
  await exchange.body.dispose();
  observer?.ended();
}

async function answer(handling: Handling): Promise<void> {
  const { exchange, response, generation, runner } = handling;
  const refusal = refusalOf(exchange);
  if (refusal !== undefined) return refuse(exchange, response, refusal);
  if (!(await runner.run('rewrite'))) return sendExit(exchange, response);
  const match = route(handling);
  if (match === undefined) return;
  const { plan } = generation;
  runner.plugins = plan.forRequest(match.route, exchange.service);
  if (!(await runner.access(plan.choices(match.route, exchange.service))))
    return sendExit(exchange, response);
  await proxy(handling);
}

/** The same node, whose log the observer reads along. */
function observedNode(node: GatewayNode, observer: ExchangeObserver): GatewayNode {
  return {
    ...node,
    log: (level, text, source) => {
      observer.logged(level, text, source);
      node.log(level, text, source);
    },
  };
}

/** Finds the route; undefined when the request has been answered instead. */
function route({ exchange, response, generation }: Handling): RouteMatch | undefined {
  const { method, path, headers, hostHeader: host, localPort: port } = exchange;
  const match = generation.router.match({ method, host, port, path, headers });
  if (match === undefined) {
    sendError(exchange, response, 404, 'kong', 'no Route matched with those values');
    return undefined;
  }
  exchange.match = match;
  exchange.service = match.route.service;
  exchange.observer?.routed();
  if (!match.route.protocols.includes('http')) {
    demandHttps(exchange, response, match.route.https_redirect_status_code);
    return undefined;
  }
  // Of what `rewrite` said of the upstream only the Host header is left.
  const chosen = exchange.upstream?.ownHost === true ? exchange.upstream.hostHeader : undefined;
  const target = targetOf(exchange);
  if (target !== undefined && chosen !== undefined && !target.ownHost) {
    target.hostHeader = chosen;
    target.ownHost = true;
  }
  exchange.upstream = target;
  return match;
}

function demandHttps(exchange: Exchange, response: ServerResponse, status: number): void {
  if (status === 426) {
    exchange.responseHeaders.append('Upgrade', 'TLS/1.2, HTTP/1.1');
    sendError(exchange, response, 426, 'kong', 'Please use HTTPS protocol');
    return;
  }
  exchange.responseHeaders.append('Location', `https://${exchange.host}${exchange.target}`);
  exchange.exit = { status, body: '' };
  sendExit(exchange, response);
}

/** Where the matched route's service is, with the path for this request. */
export function targetOf(exchange: Exchange): UpstreamTarget | undefined {
  const { match, service } = exchange;
  if (match === undefined || service === undefined) {
    return undefined;
  }
  const preserved = match.route.preserve_host ? exchange.hostHeader : undefined;
  const stripped = match.route.strip_path ? match.matchedPath : undefined;
  return {
    scheme: service.protocol,
    host: service.host,
    port: service.port,
    path: escapePath(upstreamPath(service.path ?? '/', exchange.path, stripped)),
    hostHeader: preserved ?? hostHeaderOf(service.protocol, service.host, service.port),
    ownHost: preserved !== undefined,
  };
}

async function proxy({
  exchange,
  response,
  generation,
  upstreams,
  node,
  runner,
  gone,
}: Handling): Promise<void> {
  const final = exchange.upstream;
  if (final === undefined || exchange.service === undefined) {
    sendError(exchange, response, 503, 'kong', 'no Service found with those values');
    return;
  }
  if (isIP(exchange.service.host) !== 0 && isIP(final.host) === 0) {
    node.log('crit', `[kong] bad upstream address "${final.host}", request_id: "${exchange.id}"`);
    sendError(exchange, response, 500, 'nginx');
    return;
  }
  const buffered =
    exchange.tunnel === undefined &&
    (exchange.buffering || runner.plugins.some(({ kind }) => kind.phases.includes('response')));
  // nginx has read a body before it is sent on, and then knows its length.
  if (buffered || (exchange.body.length === undefined && exchange.match?.route.request_buffering === true)) {
    await exchange.body.read();
  }
  const { observer } = exchange;
  exchange.timing.upstreamStarted = Date.now();
  observer?.phaseStarted('upstream');
  const answer = await upstreams.send(exchange, () => generation.balancer.pick(final), gone, node.log);
  exchange.timing.upstreamAnswered = Date.now();
  adoptUpstreamHead(exchange, answer);
  if (exchange.tunnel !== undefined && exchange.upstreamTunnel !== undefined) {
    await switchProtocols(exchange, response, exchange.tunnel, exchange.upstreamTunnel);
    return;
  }
  if (!buffered) {
    await streamUpstream(exchange, response, answer);
    return;
  }
  exchange.upstreamBody = await readAll(answer);
  observer?.upstreamResponseChunk(exchange.upstreamBody);
  observer?.phaseEnded('upstream');
  if (await runner.run('response')) {
    sendUpstreamBuffer(exchange, response, answer.statusMessage ?? '');
  } else {
    sendExit(exchange, response);
  }
}

/** The statuses of nginx for which Kong has a page of its own. */
const KONGS_PAGES = new Set([400, 405, 408, 413, 414, 494, 500, 502, 503, 504]);

/** Answers for nginx: with one of Kong's pages where Kong has one, else with nginx's own. */
function refuse(exchange: Exchange, response: ServerResponse, status: number): void {
  if (KONGS_PAGES.has(status)) {
    const shown = status === 494 ? 400 : status;
    sendError(exchange, response, shown, 'nginx', ERROR_MESSAGES[status]);
    return;
  }
  exchange.exit = { status, body: undefined };
  sendExit(exchange, response);
  exchange.source = 'error';
}

async function readAll(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      chunks.push(chunk);
    }
  } catch (error) {
    throw new UpstreamError(502, 'upstream prematurely closed connection', 'none', { cause: error });
  }
  return Buffer.concat(chunks);
}

/** What the client gets when a plugin or the upstream failed; nothing when a response has begun. */
function answerFailure({ exchange, response, node }: Handling, error: unknown): void {
  const { message } = error as Error;
  const log = (level: 'error' | 'crit', text: string) =>
    node.log(level, `${text}, request_id: "${exchange.id}"`);
  if (error instanceof UpstreamError && error.status === 499) {
    response.destroy();
  } else if (error instanceof ResponseFilterError) {
    log('error', `failed to run a filter: ${message}`);
    response.destroy();
  } else if (response.headersSent) {
    log('error', `upstream or client broke off: ${message}`);
    response.destroy();
  } else if (error instanceof UpstreamError && error.status === 503) {
    // Found out before anything is sent, by Kong's Lua.
    delete exchange.timing.upstreamStarted;
    sendError(exchange, response, 503, 'kong', message);
  } else if (error instanceof UpstreamError) {
    sendError(exchange, response, error.status, 'nginx');
  } else {
    log(error instanceof PluginEventError ? 'error' : 'crit', `[kong] ${message}`);
    // Past the upstream Kong's Lua cannot answer any more, so nginx's error page does.
    sendError(exchange, response, 500, exchange.timing.upstreamStarted === undefined ? 'kong' : 'nginx');
  }
}
