import type { Service } from './entities.js';
import { deriveId } from './ids.js';
import type { MapView } from './map-view.js';
import { readId, readTags } from './read-common.js';

const NOT_EMULATED = ['client_certificate', 'tls_verify', 'tls_verify_depth', 'ca_certificates', 'tls_sans'];
const MAX_MILLISECONDS = 2 ** 31 - 2;

interface Address {
  protocol: 'http' | 'https';
  host: string;
  port: number;
  path: string | undefined;
}

/** Reads one service; its `routes` and `plugins` are left to the caller. Undefined when it has no usable address. */
export function parseService(view: MapView, index: number): Service | undefined {
  const name = view.string('name');
  view.what = `service ${name === undefined ? `#${index + 1}` : `"${name}"`}`;
  const address = readAddress(view);
  const milliseconds = (key: string) => view.integer(key, 1, MAX_MILLISECONDS) ?? 60_000;
  const service = {
    id: readId(view) ?? deriveId('services', name ?? `#${index}`),
    name,
    retries: view.integer('retries', 0, 32_767) ?? 5,
    connectTimeout: milliseconds('connect_timeout'),
    writeTimeout: milliseconds('write_timeout'),
    readTimeout: milliseconds('read_timeout'),
    enabled: view.boolean('enabled') ?? true,
    tags: readTags(view),
  };
  view.accept('routes', 'plugins');
  view.finish(NOT_EMULATED);
  return address === undefined ? undefined : { ...service, ...address };
}

function readAddress(view: MapView): Address | undefined {
  const url = view.string('url');
  if (url !== undefined) {
    return fromUrl(view, url);
  }
  const protocol = view.string('protocol') ?? 'http';
  if (protocol !== 'http' && protocol !== 'https') {
    view.problems.add(
      view.get('protocol'),
      `${view.what}: protocol ${protocol} is not emulated by the local gateway`,
    );
    return undefined;
  }
  const host = view.string('host');
  const path = view.string('path');
  if (path !== undefined && !path.startsWith('/')) {
    view.problems.add(view.get('path'), `${view.what}: path must start with /`);
  }
  const port = view.integer('port', 0, 65_535) ?? 80;
  if (host === undefined) {
    view.problems.add(view.node, `${view.what}: needs a url or a host`);
    return undefined;
  }
  return { protocol, host, port, path };
}

function fromUrl(view: MapView, text: string): Address | undefined {
  const node = view.get('url');
  for (const key of ['protocol', 'host', 'port', 'path']) {
    if (view.get(key) !== undefined) {
      view.problems.add(view.at(key), `${view.what}: ${key} cannot stand beside url`);
    }
  }
  if (!URL.canParse(text)) {
    view.problems.add(node, `${view.what}: url is not a valid URL`);
    return undefined;
  }
  const url = new URL(text);
  const protocol = url.protocol.slice(0, -1);
  if (protocol !== 'http' && protocol !== 'https') {
    view.problems.add(node, `${view.what}: protocol ${protocol} is not emulated by the local gateway`);
    return undefined;
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    view.problems.add(node, `${view.what}: url takes a protocol, a host, a port and a path only`);
  }
  const hasPath = /^[a-z]+:\/\/[^/]+\//i.test(text);
  return {
    protocol,
    host: url.hostname,
    port: url.port === '' ? (protocol === 'https' ? 443 : 80) : Number(url.port),
    path: hasPath ? url.pathname : undefined,
  };
}
