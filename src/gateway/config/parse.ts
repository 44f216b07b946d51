import { isMap, LineCounter, parseDocument } from 'yaml';
import { PluginServerError } from '../../errors.js';
import type { PluginCatalog } from './catalog.js';
import type { Consumer, GatewayConfig, PluginEntity, Route, Service } from './entities.js';
import { deriveId } from './ids.js';
import { MapView } from './map-view.js';
import { type PluginScopes, parsePlugin } from './parse-plugin.js';
import { parseRoute } from './parse-route.js';
import { parseService } from './parse-service.js';
import { formatProblem, type Problem, ProblemList } from './problems.js';
import { readId, readReference, readTags } from './read-common.js';

/** A declarative config with faults; the message lists them all. */
export class DeclarativeConfigError extends PluginServerError {
  constructor(readonly problems: readonly Problem[]) {
    super('BAD_DECLARATIVE_CONFIG', problems.map(formatProblem).join('\n'));
  }
}

/** Entities of Kong's that this gateway has not. */
const NOT_EMULATED = [
  ...['upstreams', 'targets', 'certificates', 'ca_certificates', 'snis', 'vaults', 'keys', 'key_sets'],
  ...[
    'consumer_groups',
    'filter_chains',
    'workspaces',
    'acls',
    'basicauth_credentials',
    'keyauth_credentials',
  ],
  ...['hmacauth_credentials', 'jwt_secrets', 'oauth2_credentials', 'parameters', 'partials'],
];
const CONSUMER_NOT_EMULATED = ['plugins', 'groups', ...NOT_EMULATED];

/**
 * Reads a declarative config (`_format_version: "3.0"`).
 *
 * @param file the name that problems carry
 * @param catalog the plugins it may use
 * @returns every fault that was found, and the config without the entities that have one
 */
export function parseDeclarativeConfig(
  text: string,
  file: string,
  catalog: PluginCatalog,
): { config: GatewayConfig; problems: Problem[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const problems = new ProblemList(file, lines);
  for (const error of document.errors) {
    problems.addAt(
      error.pos[0],
      (error.message.split('\n')[0] as string).replace(/ at line \d+, column \d+:?$/, ''),
    );
  }
  const entities = new Entities(catalog);
  if (problems.list.length > 0) {
    return { config: entities.config(), problems: problems.list };
  }
  if (!isMap(document.contents)) {
    problems.addAt(0, 'a declarative config must be a mapping');
    return { config: entities.config(), problems: problems.list };
  }
  entities.read(new MapView(document.contents, 'config', document, problems));
  return { config: entities.config(), problems: problems.list };
}

class Entities implements PluginScopes {
  readonly #services: Service[] = [];
  readonly #routes: Route[] = [];
  readonly #consumers: Consumer[] = [];
  readonly #plugins: PluginEntity[] = [];

  constructor(readonly catalog: PluginCatalog) {}

  findService = (reference: string) =>
    this.#services.find(({ id, name }) => id === reference || name === reference);

  findRoute = (reference: string) =>
    this.#routes.find(({ id, name }) => id === reference || name === reference);

  config(): GatewayConfig {
    return {
      services: this.#services,
      routes: this.#routes,
      consumers: this.#consumers,
      plugins: this.#plugins,
      loadedAt: Math.floor(Date.now() / 1000),
    };
  }

  read(root: MapView): void {
    const version = root.plain('_format_version');
    if (version !== '3.0') {
      const shown = version === undefined ? 'is missing' : `is ${JSON.stringify(version)}`;
      root.problems.add(
        root.get('_format_version') ?? root.node,
        `_format_version ${shown}, it must be "3.0"`,
      );
    }
    root.accept('_transform', '_comment', '_ignore', '_info');
    // A plugin may name a service or route that comes further down, so plugins are read last.
    const plugins: (() => void)[] = [];
    for (const [index, view] of root.maps('services', 'service').entries()) {
      const service = parseService(view, index);
      this.#add(view, this.#services, service);
      this.#readRoutes(view, service, plugins);
      this.#readPlugins(view, { service }, plugins);
    }
    this.#readRoutes(root, undefined, plugins);
    this.#readPlugins(root, {}, plugins);
    for (const [index, view] of root.maps('consumers', 'consumer').entries()) {
      this.#add(view, this.#consumers, readConsumer(view, index));
    }
    root.finish(NOT_EMULATED);
    for (const read of plugins) {
      read();
    }
  }

  #readRoutes(owner: MapView, service: Service | undefined, plugins: (() => void)[]): void {
    for (const [index, view] of owner.maps('routes', 'route').entries()) {
      const reference = readReference(view, 'service');
      const named = reference === undefined ? undefined : this.findService(reference);
      if (reference !== undefined && named === undefined) {
        view.problems.add(view.get('service'), `route: there is no service "${reference}"`);
      }
      const route = parseRoute(view, service ?? named, index);
      this.#add(view, this.#routes, route);
      this.#readPlugins(view, { route }, plugins);
    }
  }

  #readPlugins(
    owner: MapView,
    scope: { service?: Service | undefined; route?: Route | undefined },
    later: (() => void)[],
  ): void {
    for (const view of owner.maps('plugins', 'plugin')) {
      later.push(() => {
        const plugin = parsePlugin(view, scope, this);
        if (plugin !== undefined && this.#plugins.some((other) => sameScope(other, plugin))) {
          view.problems.add(view.at('name'), `${view.what}: there is one already for the same scope`);
          return;
        }
        this.#add(view, this.#plugins, plugin);
      });
    }
  }

  #add<T extends { id: string; name?: string | undefined }>(
    view: MapView,
    list: T[],
    entity: T | undefined,
  ): void {
    if (entity === undefined) {
      return;
    }
    const isPlugin = view.what.startsWith('plugin');
    if (
      list.some(
        ({ id, name }) => id === entity.id || (!isPlugin && name !== undefined && name === entity.name),
      )
    ) {
      view.problems.add(view.node, `${view.what}: there is one already with this name or id`);
      return;
    }
    list.push(entity);
  }
}

function sameScope(a: PluginEntity, b: PluginEntity): boolean {
  return a.name === b.name && a.route?.id === b.route?.id && a.service?.id === b.service?.id;
}

function readConsumer(view: MapView, index: number): Consumer {
  const username = view.string('username');
  const customId = view.string('custom_id');
  view.what = `consumer ${username ?? customId ?? `#${index + 1}`}`;
  if (username === undefined && customId === undefined) {
    view.problems.add(view.node, `${view.what}: needs a username or a custom_id`);
  }
  const id = readId(view) ?? deriveId('consumers', username ?? customId ?? `#${index}`);
  const consumer = { id, username, customId, tags: readTags(view) };
  view.finish(CONSUMER_NOT_EMULATED);
  return consumer;
}
