import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream/promises';
import type { Exchange, UpstreamTarget } from './exchange.js';
import type { Generation } from './gateway.js';
import type { GatewayNode } from './host/context.js';
import { type UpstreamClient, UpstreamError } from './http/upstream-client.js';
import type { ExchangeObserver } from './observer.js';
import type { PlannedPlugin } from './plan.js';
import { PluginEventError } from './plugin-port.js';
import { adoptUpstreamHead, sendError, sendExit, sendUpstreamBuffer, streamUpstream } from './respond.js';
import { escapePath, upstreamPath } from './router/path.js';
import { type PluginCallers, runLogPhase, runPhase } from './run-phase.js';

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
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const { observer } = exchange;
  const { node: plainNode, plan } = generation;
  const node = observer === undefined ? plainNode : observedNode(plainNode, observer);
  let plugins: readonly PlannedPlugin[] = plan.global();
  try {
    if (exchange.hostHeader === undefined && exchange.httpVersion !== '1.0') {
      sendError(exchange, response, 400, 'nginx');
    } else if (!(await runPhase('rewrite', plugins, exchange, node, callers))) {
      sendExit(exchange, response);
    } else {
      const routed = route(exchange, response, generation);
      plugins = routed?.plugins ?? plugins;
      if (routed !== undefined) {
        await access(exchange, response, routed, node, upstreams, callers, gone.signal);
      }
    }
  } catch (error) {
    answerFailure(exchange, response, error, node);
  }
  // A response that broke off is at its end, too.
  await finished(response).catch(() => undefined);
  exchange.timing.finished = Date.now();
  observer?.phaseEnded('upstream');
  observer?.answered();
  await runLogPhase(plugins, exchange, node, callers);
  await exchange.body.dispose();
  observer?.ended();
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

interface Routed {
  readonly plugins: readonly PlannedPlugin[];
  readonly target: UpstreamTarget | undefined;
}

/** Finds the route; undefined when the request has been answered instead. */
function route(
  exchange: Exchange,
  response: ServerResponse,
  { router, plan }: Generation,
): Routed | undefined {
  const { method, path, headers, hostHeader: host, localPort: port } = exchange;
  const match = router.match({ method, host, port, path, headers });
  if (match === undefined) {
    sendError(exchange, response, 404, 'kong', 'no Route matched with those values');
    return undefined;
  }
  exchange.match = match;
  exchange.service = match.route.service;
  exchange.observer?.routed();
  if (!match.route.protocols.includes('http')) {
    demandHttps(exchange, response, match.route.httpsRedirectStatusCode);
    return undefined;
  }
  const service = match.route.service;
  const target = service?.enabled === true ? targetOf(exchange) : undefined;
  exchange.upstream = target;
  return { plugins: plan.forRequest(match.route, service), target };
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
  const standard = service.protocol === 'https' ? 443 : 80;
  const named = service.port === standard ? service.host : `${service.host}:${service.port}`;
  const stripped = match.route.stripPath ? match.matchedPath : undefined;
  return {
    scheme: service.protocol,
    host: service.host,
    port: service.port,
    path: escapePath(upstreamPath(service.path ?? '/', exchange.path, stripped)),
    hostHeader: match.route.preserveHost && exchange.hostHeader !== undefined ? exchange.hostHeader : named,
  };
}

async function access(
  exchange: Exchange,
  response: ServerResponse,
  { plugins, target }: Routed,
  node: GatewayNode,
  upstreams: UpstreamClient,
  callers: PluginCallers,
  gone: AbortSignal,
): Promise<void> {
  if (!(await runPhase('access', plugins, exchange, node, callers))) {
    sendExit(exchange, response);
    return;
  }
  const final = exchange.upstream ?? target;
  if (final === undefined || final.host === '') {
    sendError(exchange, response, 503, 'kong', 'no Service found with those values');
    return;
  }
  const { observer } = exchange;
  exchange.timing.upstreamStarted = Date.now();
  observer?.phaseStarted('upstream');
  const answer = await upstreams.send(exchange, final, gone, node.log);
  exchange.timing.upstreamAnswered = Date.now();
  adoptUpstreamHead(exchange, answer);
  if (!plugins.some(({ kind }) => kind.phases.includes('response'))) {
    await streamUpstream(exchange, response, answer);
    return;
  }
  exchange.upstreamBody = await readAll(answer);
  observer?.upstreamResponseChunk(exchange.upstreamBody);
  observer?.phaseEnded('upstream');
  if (await runPhase('response', plugins, exchange, node, callers)) {
    sendUpstreamBuffer(exchange, response, answer.statusMessage ?? '');
  } else {
    sendExit(exchange, response);
  }
}

async function readAll(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      chunks.push(chunk);
    }
  } catch (error) {
    throw new UpstreamError(502, 'upstream prematurely closed connection', { cause: error });
  }
  return Buffer.concat(chunks);
}

/** What the client gets when a plugin or the upstream failed; nothing when a response has begun. */
function answerFailure(
  exchange: Exchange,
  response: ServerResponse,
  error: unknown,
  node: GatewayNode,
): void {
  if (error instanceof UpstreamError && error.status === 499) {
    response.destroy();
    return;
  }
  if (response.headersSent) {
    node.log(
      'error',
      `upstream or client broke off: ${(error as Error).message}, request_id: "${exchange.id}"`,
    );
    response.destroy();
    return;
  }
  if (error instanceof UpstreamError) {
    sendError(exchange, response, error.status, 'nginx');
    return;
  }
  const { message } = error as Error;
  node.log(
    error instanceof PluginEventError ? 'error' : 'crit',
    `[kong] ${message}, request_id: "${exchange.id}"`,
  );
  // Past the upstream Kong's Lua cannot answer any more, so nginx's error page does.
  const origin = exchange.timing.upstreamStarted === undefined ? 'kong' : 'nginx';
  sendError(exchange, response, 500, origin, 'An unexpected error occurred');
}
