import { isScalar, type Node } from 'yaml';
import type { Route, RoutePath, Service } from './entities.js';
import { deriveId } from './ids.js';
import type { MapView } from './map-view.js';
import { readId, readTags } from './read-common.js';

const NOT_EMULATED = ['snis', 'sources', 'destinations', 'expression', 'priority'];
const REDIRECT_CODES = [301, 302, 307, 308, 426];

/** Reads one route; its `plugins` are left to the caller. */
export function parseRoute(view: MapView, service: Service | undefined, index: number): Route {
  const name = view.string('name');
  view.what = `route ${name === undefined ? `#${index + 1}` : `"${name}"`}`;
  const methods = (view.strings('methods') ?? []).map(({ value, node }) => {
    if (!/^[A-Z]+$/.test(value)) {
      view.problems.add(node, `${view.what}: method ${value} must be in upper case`);
    }
    return value;
  });
  const route: Route = {
    id: readId(view) ?? deriveId('routes', name ?? `${service?.id ?? ''}#${index}`),
    name,
    service,
    protocols: readProtocols(view),
    methods,
    hosts: readHosts(view),
    paths: readPaths(view),
    headers: readHeaders(view),
    stripPath: view.boolean('strip_path') ?? true,
    preserveHost: view.boolean('preserve_host') ?? false,
    regexPriority: view.integer('regex_priority', 0, 2 ** 31 - 1) ?? 0,
    httpsRedirectStatusCode: readRedirectCode(view),
    requestBuffering: view.boolean('request_buffering') ?? true,
    responseBuffering: view.boolean('response_buffering') ?? true,
    tags: readTags(view),
  };
  const pathHandling = view.string('path_handling');
  if (pathHandling !== undefined && pathHandling !== 'v0') {
    view.problems.add(
      view.get('path_handling'),
      `${view.what}: path_handling ${pathHandling} is not emulated by the local gateway`,
    );
  }
  view.accept('plugins', 'service');
  view.finish(NOT_EMULATED);
  if (methods.length + route.hosts.length + route.paths.length + route.headers.size === 0) {
    view.problems.add(view.node, `${view.what}: needs at least one of methods, hosts, headers, paths`);
  }
  return route;
}

function readProtocols(view: MapView): Route['protocols'] {
  const entries = view.strings('protocols');
  if (entries === undefined) {
    return ['http', 'https'];
  }
  return entries.flatMap(({ value, node }) => {
    if (value === 'http' || value === 'https') {
      return [value];
    }
    view.problems.add(node, `${view.what}: protocol ${value} is not emulated by the local gateway`);
    return [];
  });
}

function readHosts(view: MapView): string[] {
  return (view.strings('hosts') ?? []).map(({ value, node }) => {
    const stars = value.split('*').length - 1;
    if (stars > 1 || (stars === 1 && !value.startsWith('*.') && !value.endsWith('.*'))) {
      view.problems.add(
        node,
        `${view.what}: host ${value} may have one * and only as its first or last label`,
      );
    }
    return value.toLowerCase();
  });
}

function readPaths(view: MapView): RoutePath[] {
  return (view.strings('paths') ?? []).flatMap(({ value, node }): RoutePath[] => {
    if (value.startsWith('~')) {
      const regex = compile(view, node, value.slice(1));
      return regex === undefined ? [] : [{ text: value, regex }];
    }
    if (!value.startsWith('/')) {
      view.problems.add(
        node,
        `${view.what}: path ${value} must start with / (or ~/ for a regular expression)`,
      );
      return [];
    }
    return [{ text: value, regex: undefined }];
  });
}

/** PCRE's `(?P<name>` is written `(?<name>` in JavaScript; both are accepted. */
function compile(view: MapView, node: Node, source: string): RegExp | undefined {
  try {
    return new RegExp(`^(?:${source.replaceAll('(?P<', '(?<')})`);
  } catch (error) {
    view.problems.add(node, `${view.what}: ${(error as Error).message}`);
    return undefined;
  }
}

function readHeaders(view: MapView): Map<string, string[]> {
  const headers = new Map<string, string[]>();
  const map = view.map('headers');
  for (const name of map?.keys() ?? []) {
    if (name.toLowerCase() === 'host') {
      map?.problems.add(map.at(name), `${view.what}: use hosts instead of the header host`);
    }
    const values = map?.strings(name) ?? [];
    headers.set(
      name.toLowerCase(),
      values.map(({ value }) => value),
    );
    for (const { value, node } of values) {
      if (value.startsWith('~*') && isScalar(node)) {
        compile(view, node, value.slice(2));
      }
    }
  }
  return headers;
}

function readRedirectCode(view: MapView): number {
  const code = view.integer('https_redirect_status_code', 100, 599);
  if (code !== undefined && !REDIRECT_CODES.includes(code)) {
    view.problems.add(
      view.get('https_redirect_status_code'),
      `${view.what}: https_redirect_status_code must be one of ${REDIRECT_CODES.join(', ')}`,
    );
  }
  return code ?? 426;
}
