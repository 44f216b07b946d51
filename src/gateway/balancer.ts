import type { GatewayConfig, Target, Upstream } from './config/entities.js';
import { parseHost } from './config/rules.js';
import type { UpstreamTarget } from './exchange.js';

interface Peer {
  readonly host: string;
  readonly port: number;
  readonly weight: number;
  current: number;
}

/** The upstreams of a config: picks a target for each request and each further attempt, by weight, in turn. */
export class Balancer {
  readonly #upstreams: ReadonlyMap<string, { readonly upstream: Upstream; readonly peers: Peer[] }>;

  constructor(config: GatewayConfig) {
    this.#upstreams = new Map(
      config.upstreams.map((upstream) => {
        const targets = config.targets.filter((target) => target.upstream === upstream);
        return [upstream.name, { upstream, peers: peersOf(targets) }];
      }),
    );
  }

  /** Whether a service's host is the name of an upstream. */
  has(host: string): boolean {
    return this.#upstreams.has(host);
  }

  /** Where to send a request next; undefined when the upstream has no target with a weight. */
  pick(target: UpstreamTarget): UpstreamTarget | undefined {
    const found = this.#upstreams.get(target.host);
    if (found === undefined) return target;
    const peer = heaviest(found.peers);
    if (peer === undefined) return undefined;
    const { host, port } = peer;
    const hostHeader = target.ownHost
      ? target.hostHeader
      : hostHeaderOf(target.scheme, found.upstream.host_header ?? host, port);
    return { ...target, host, port, hostHeader };
  }
}

/** The Host header of a request to a host: with the port, unless it is the scheme's own. */
export function hostHeaderOf(scheme: 'http' | 'https', host: string, port: number): string {
  return port === (scheme === 'https' ? 443 : 80) ? host : `${host}:${port}`;
}

function peersOf(targets: readonly Target[]): Peer[] {
  return targets.flatMap(({ target, weight }) => {
    const parsed = parseHost(target);
    return parsed === undefined || weight === 0
      ? []
      : [{ host: parsed.host, port: parsed.port ?? 8000, weight, current: 0 }];
  });
}

/** Smooth weighted round robin: over a full turn each peer comes as often as its weight says. */
function heaviest(peers: readonly Peer[]): Peer | undefined {
  let best: Peer | undefined;
  let total = 0;
  for (const peer of peers) {
    peer.current += peer.weight;
    total += peer.weight;
    if (best === undefined || peer.current > best.current) best = peer;
  }
  if (best !== undefined) best.current -= total;
  return best;
}
