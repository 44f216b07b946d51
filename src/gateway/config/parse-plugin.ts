import { isMap, type Node } from 'yaml';
import type { PluginCatalog } from './catalog.js';
import type { PluginEntity, Route, Service } from './entities.js';
import { deriveId } from './ids.js';
import type { MapView } from './map-view.js';
import { readId, readReference, readTags } from './read-common.js';

const NOT_EMULATED = ['consumer', 'consumer_group', 'ordering', 'condition', 'partials'];

/** What a plugin may refer to by name. */
export interface PluginScopes {
  readonly catalog: PluginCatalog;
  findService(reference: string): Service | undefined;
  findRoute(reference: string): Route | undefined;
}

/**
 * Reads one plugin entity, nested in `owner` or at the top level. Undefined when the plugin is unknown or its
 * scope or config is faulty.
 */
export function parsePlugin(
  view: MapView,
  owner: { service?: Service | undefined; route?: Route | undefined },
  scopes: PluginScopes,
): PluginEntity | undefined {
  const { problems } = view;
  const before = problems.list.length;
  const name = view.string('name');
  if (name === undefined) {
    problems.add(view.node, `${view.what}: needs a name`);
    return undefined;
  }
  view.what = `plugin "${name}"`;
  const service = owner.service ?? refer(view, 'service', owner.route !== undefined, scopes.findService);
  const route = owner.route ?? refer(view, 'route', owner.service !== undefined, scopes.findRoute);
  const instance = view.string('instance_name');
  const entity = {
    id:
      readId(view) ??
      deriveId('plugins', `${name}:${instance ?? ''}:${route?.id ?? ''}:${service?.id ?? ''}`),
    name,
    enabled: view.boolean('enabled') ?? true,
    service,
    route,
    protocols: (view.strings('protocols') ?? []).map(({ value }) => value),
    tags: readTags(view),
  };
  const kind = scopes.catalog.get(name);
  const configNode = view.get('config');
  if (kind === undefined) {
    const known = [...scopes.catalog.keys()].join(', ');
    problems.add(view.at('name'), `plugin ${name} is not emulated by the local gateway (it has ${known})`);
  }
  if (configNode !== undefined && !isMap(configNode)) {
    problems.add(configNode, `${view.what}: config must be a mapping`);
  }
  view.finish(NOT_EMULATED);
  if (kind === undefined || problems.list.length > before) {
    return undefined;
  }
  const { config, faults } = kind.validate(view.plain('config'));
  for (const { path, message } of faults) {
    const field = path.length === 0 ? 'config' : `config.${path.join('.')}`;
    problems.add(nodeAt(configNode, path) ?? view.at('config'), `${view.what}: ${field}: ${message}`);
  }
  return faults.length > 0 ? undefined : { ...entity, config };
}

function refer<T>(
  view: MapView,
  key: 'service' | 'route',
  nested: boolean,
  find: (reference: string) => T | undefined,
): T | undefined {
  const reference = readReference(view, key);
  if (reference === undefined) {
    return undefined;
  }
  if (nested) {
    view.problems.add(view.at(key), `${view.what}: a nested plugin cannot name a ${key}`);
    return undefined;
  }
  const found = find(reference);
  if (found === undefined) {
    view.problems.add(view.get(key), `${view.what}: there is no ${key} "${reference}"`);
  }
  return found;
}

/** The node at a path, or the innermost one on the way there. */
function nodeAt(root: Node | undefined, path: readonly (string | number)[]): Node | undefined {
  for (let length = path.length; length > 0; length--) {
    const node = isMap(root) ? root.getIn(path.slice(0, length), true) : undefined;
    if (node !== null && typeof node === 'object') {
      return node as Node;
    }
  }
  return root;
}
