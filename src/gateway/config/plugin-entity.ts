import { nearestName } from '../../nearest-name.js';
import { BUNDLED_PLUGINS } from './bundled-plugins.js';
import type { PluginCatalog } from './catalog.js';
import { type EntityReader, isEmptyTable, type ReadEntity } from './entity-reader.js';
import type { YamlSource } from './yaml-source.js';

/** How a configuration is read. */
export interface ParseOptions {
  /** Unknown plugins and keys of the file become notes. */
  readonly ignoreUnknown?: boolean;
}

/**
 * Checks what a plugin entity says of its plugin: that there is one of this name, where it may be configured, and its
 * `config`, which becomes `value.config` with the schema's defaults. What Kong brings along is noted, not run.
 */
export function checkPlugin(
  entity: ReadEntity,
  reader: EntityReader,
  source: YamlSource,
  catalog: PluginCatalog,
  options: ParseOptions,
): void {
  const { given, value } = entity;
  const { name } = given;
  if (typeof name !== 'string' || name === '') return;
  const kind = catalog.get(name);
  const bundled = BUNDLED_PLUGINS.get(name);
  const noConsumer = (kind ?? bundled)?.noConsumer === true;
  const nested = entity.parent?.field === 'consumer';
  if (noConsumer && !nested && entity.references.has('consumer')) {
    reader.fault(entity, ['consumer'], 'value must be null: this plugin cannot be configured for a consumer');
  }
  if (kind !== undefined) {
    if (entity.faulty && typeof value.config !== 'object') return;
    // Without a config Kong validates an empty one, and null it has refused already.
    const written = given.config === undefined || isEmptyTable(given.config) ? {} : given.config;
    if (written === null) return;
    const { config, faults, notes = [] } = kind.validate(written);
    for (const fault of faults) {
      reader.fault(entity, ['config', ...fault.path], fault.message, fault.position);
    }
    for (const { path, message, position } of notes) {
      const at = ['config', ...path];
      reader.note(entity, at, message, position);
    }
    value.config = config;
    return;
  }
  const at = [...entity.path, 'name'];
  if (bundled === undefined) {
    const near = nearestName(name, [...catalog.keys(), ...BUNDLED_PLUGINS.keys()]);
    const hint = near === undefined ? '' : `; did you mean "${near}"?`;
    if (options.ignoreUnknown === true) {
      source.problems.noteAt(source.offsetOf(at), `${entity.what}: there is no such plugin, ignored`);
    } else {
      reader.fault(
        entity,
        ['name'],
        `there is no such plugin, neither here nor among those that Kong 3.9 brings${hint}`,
      );
    }
    return;
  }
  const config = (given.config ?? {}) as Record<string, unknown>;
  for (const field of bundled.required ?? []) {
    if (config[field] === undefined || config[field] === null) {
      reader.fault(entity, ['config', field], 'required field missing');
    }
  }
  if (bundled.httpOnly === true && Array.isArray(given.protocols)) {
    const odd = given.protocols.findIndex((protocol) => !/^(http|grpc)s?$/.test(String(protocol)));
    if (odd >= 0) reader.fault(entity, ['protocols', odd], 'expected one of: grpc, grpcs, http, https');
  }
  source.problems.noteAt(
    source.offsetOf(at),
    `${entity.what}: Kong's own, its config is not checked and the local gateway runs without it`,
  );
}
