import type { Route } from '../config/entities.js';
import { uuidV5 } from '../config/ids.js';
import type { HeaderList } from '../http/header-list.js';
import { RouteRegex } from './rust-regex.js';

/** What a route is chosen by. */
export interface RoutedRequest {
  readonly method: string;
  /** The Host header as sent, which Kong compares letter by letter; undefined without one. */
  readonly host: string | undefined;
  /** The port it came to, for a Host header without one. */
  readonly port: number;
  /** Normalised, one char per byte. */
  readonly path: string;
  readonly headers: HeaderList;
}

export interface RouteMatch {
  readonly route: Route;
  /** The part of the path that the route's path matched; undefined for a route without paths. */
  readonly matchedPath: string | undefined;
  /** Of a regex path: the whole match at 0, then the groups. */
  readonly captures: readonly string[];
  readonly namedCaptures: Readonly<Record<string, string>>;
}

type HeaderTest = (values: readonly string[]) => boolean;

/** One entry of a route's `paths`. */
interface RoutePath {
  /** What a path has to begin with, one char per byte; empty with a regex. */
  readonly prefix: string;
  readonly regex: RouteRegex | undefined;
}

/** A route with those of its paths that weigh the same. */
interface Candidate {
  readonly route: Route;
  readonly paths: readonly RoutePath[];
  readonly headers: readonly (readonly [name: string, test: HeaderTest])[];
  readonly weights: readonly number[];
  readonly id: string;
}

/** The namespace that Kong derives the ids of a route's parts from. */
const SPLIT_ROUTES = '7f145bf9-0dce-4f91-98eb-debbce4b9f6b';

/**
 * Chooses the route of a request in the order of Kong's default router: most kinds of rules first, then plain before
 * wildcard hosts, more headers, regex before prefix paths, `regex_priority`, longer prefixes, and the higher id.
 */
export class Router {
  readonly #candidates: readonly Candidate[];

  constructor(routes: readonly Route[]) {
    this.#candidates = routes.flatMap(candidatesOf).sort(byPriority);
  }

  match(request: RoutedRequest): RouteMatch | undefined {
    for (const candidate of this.#candidates) {
      const { route, paths } = candidate;
      if (!matchesRules(candidate, request)) continue;
      if (paths.length === 0) return { route, matchedPath: undefined, captures: [], namedCaptures: {} };
      for (const { prefix, regex } of paths) {
        if (regex === undefined) {
          if (request.path.startsWith(prefix)) {
            return { route, matchedPath: prefix, captures: [], namedCaptures: {} };
          }
          continue;
        }
        const found = regex.exec(request.path);
        if (found === undefined) continue;
        // Kong shows the whole match beside groups only.
        const captures = found.captures.length > 1 ? found.captures : [];
        return { route, matchedPath: found.text, captures, namedCaptures: found.named };
      }
    }
    return undefined;
  }
}

/** Paths of one length are one candidate, and so are all regular expressions: Kong splits its routes so. */
function candidatesOf(route: Route): Candidate[] {
  const groups = new Map<number, RoutePath[]>();
  for (const path of (route.paths ?? []).map(routePath)) {
    const key = path.regex === undefined ? path.prefix.length : 0;
    groups.set(key, [...(groups.get(key) ?? []), path]);
  }
  const parts = groups.size === 0 ? [[]] : [...groups.values()];
  const headers = Object.entries(route.headers ?? {}).map(
    ([name, values]) => [name.replaceAll('_', '-'), headerTest(values)] as const,
  );
  return parts.map((paths, index) => ({
    route,
    paths,
    headers,
    weights: weigh(route, paths[0]),
    id: parts.length === 1 ? route.id : uuidV5(SPLIT_ROUTES, `${route.id}#${index + 1}`),
  }));
}

/** Paths and expressions are matched against bytes. */
function routePath(text: string): RoutePath {
  return text.startsWith('~')
    ? { prefix: '', regex: new RouteRegex(`^${text.slice(1)}`) }
    : { prefix: Buffer.from(text, 'utf8').toString('latin1'), regex: undefined };
}

function weigh(route: Route, path: RoutePath | undefined): number[] {
  const { methods = [], hosts = [], paths = [] } = route;
  const headers = Object.keys(route.headers ?? {}).length;
  const isRegex = path?.regex !== undefined;
  return [
    [methods.length, hosts.length, headers, paths.length].filter((count) => count > 0).length,
    hosts.length > 0 && !hosts.some((host) => host.includes('*')) ? 1 : 0,
    headers,
    isRegex ? 1 : 0,
    isRegex ? route.regex_priority : 0,
    path?.prefix.length ?? 0,
  ];
}

function byPriority(a: Candidate, b: Candidate): number {
  for (const [index, weight] of a.weights.entries()) {
    const difference = (b.weights[index] as number) - weight;
    if (difference !== 0) return difference;
  }
  return a.id < b.id ? 1 : -1;
}

function matchesRules({ route, headers }: Candidate, request: RoutedRequest): boolean {
  const { methods = [], hosts = [] } = route;
  if (methods.length > 0 && !methods.includes(request.method)) return false;
  if (hosts.length > 0 && !hosts.some((host) => matchesHost(host, request))) return false;
  return headers.every(([name, test]) => test(request.headers.getAll(name)));
}

function splitPort(host: string): [host: string, port: number | undefined] {
  const [, name, digits] = /^([^:]*):(\d+)$/.exec(host) ?? [];
  return name === undefined ? [host, undefined] : [name, Number(digits)];
}

function matchesHost(pattern: string, request: RoutedRequest): boolean {
  if (request.host === undefined) return false;
  const [wanted, wantedPort] = splitPort(pattern);
  const [host, port = request.port] = splitPort(request.host);
  if (wantedPort !== undefined && wantedPort !== port) return false;
  if (wanted.startsWith('*')) return host.endsWith(wanted.slice(1));
  if (wanted.endsWith('*')) return host.startsWith(wanted.slice(0, -1));
  return host === wanted;
}

/** Kong puts both sides into lower case, expressions included. */
function headerTest(values: readonly string[]): HeaderTest {
  const tests = values.map((value) => {
    const lower = value.toLowerCase();
    if (!value.startsWith('~*')) return (sent: string) => sent === lower;
    const regex = new RouteRegex(lower.slice(2));
    return (sent: string) => regex.test(sent);
  });
  return (sent) => sent.some((value) => tests.some((test) => test(value.toLowerCase())));
}
