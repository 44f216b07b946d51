import type { Route, RoutePath } from '../config/entities.js';
import type { HeaderList } from '../http/header-list.js';

/** What a route is chosen by. */
export interface RoutedRequest {
  readonly method: string;
  /** Lower case, without the port. */
  readonly host: string;
  readonly port: number;
  /** Normalised. */
  readonly path: string;
  readonly headers: HeaderList;
}

export interface RouteMatch {
  readonly route: Route;
  /** The part of the path that the route's path matched; undefined for a route without paths. */
  readonly matchedPath: string | undefined;
  /** Of a regex path: the whole match at 0, then the groups. */
  readonly captures: readonly (string | undefined)[];
  readonly namedCaptures: Readonly<Record<string, string>>;
}

interface Candidate {
  readonly route: Route;
  readonly path: RoutePath | undefined;
}

/**
 * Chooses the route of a request in the order of Kong's router: most kinds of rules first, then plain before
 * wildcard hosts, more headers, regex before prefix paths, `regex_priority`, longer paths, earlier routes.
 */
export class Router {
  readonly #candidates: readonly Candidate[];

  constructor(routes: readonly Route[]) {
    const candidates = routes.flatMap((route) =>
      (route.paths.length === 0 ? [undefined] : route.paths).map((path): Candidate => ({ route, path })),
    );
    // Array.prototype.sort is stable: equal candidates keep the order of the config.
    this.#candidates = candidates.sort(byPriority);
  }

  match(request: RoutedRequest): RouteMatch | undefined {
    for (const { route, path } of this.#candidates) {
      if (!matchesRules(route, request)) {
        continue;
      }
      if (path === undefined) {
        return { route, matchedPath: undefined, captures: [], namedCaptures: {} };
      }
      if (path.regex === undefined) {
        if (request.path.startsWith(path.text)) {
          return { route, matchedPath: path.text, captures: [], namedCaptures: {} };
        }
        continue;
      }
      const found = path.regex.exec(request.path);
      if (found !== null) {
        const namedCaptures = Object.fromEntries(
          Object.entries(found.groups ?? {}).filter((entry) => entry[1] !== undefined),
        );
        return { route, matchedPath: found[0], captures: [...found], namedCaptures };
      }
    }
    return undefined;
  }
}

function byPriority(a: Candidate, b: Candidate): number {
  const left = weights(a);
  const right = weights(b);
  for (const [index, weight] of left.entries()) {
    const difference = (right[index] as number) - weight;
    if (difference !== 0) {
      return difference;
    }
  }
  return 0;
}

function weights({ route, path }: Candidate): number[] {
  const kinds = [route.methods.length, route.hosts.length, route.headers.size, route.paths.length];
  return [
    kinds.filter((count) => count > 0).length,
    route.hosts.length > 0 && !route.hosts.some((host) => host.includes('*')) ? 1 : 0,
    route.headers.size,
    path?.regex === undefined ? 0 : 1,
    path?.regex === undefined ? 0 : route.regexPriority,
    path?.text.length ?? 0,
  ];
}

function matchesRules(route: Route, request: RoutedRequest): boolean {
  if (route.methods.length > 0 && !route.methods.includes(request.method)) {
    return false;
  }
  if (route.hosts.length > 0 && !route.hosts.some((host) => matchesHost(host, request))) {
    return false;
  }
  for (const [name, values] of route.headers) {
    const sent = request.headers.getAll(name).map((value) => value.toLowerCase());
    if (!sent.some((value) => values.some((wanted) => matchesHeader(wanted, value)))) {
      return false;
    }
  }
  return true;
}

function matchesHost(pattern: string, request: RoutedRequest): boolean {
  const colon = pattern.lastIndexOf(':');
  const host = colon < 0 ? pattern : pattern.slice(0, colon);
  if (colon >= 0 && Number(pattern.slice(colon + 1)) !== request.port) {
    return false;
  }
  if (host.startsWith('*')) {
    return request.host.endsWith(host.slice(1)) && request.host.length > host.length - 1;
  }
  if (host.endsWith('*')) {
    return request.host.startsWith(host.slice(0, -1)) && request.host.length > host.length - 1;
  }
  return host === request.host;
}

function matchesHeader(wanted: string, value: string): boolean {
  return wanted.startsWith('~*')
    ? new RegExp(wanted.slice(2), 'i').test(value)
    : wanted.toLowerCase() === value;
}
