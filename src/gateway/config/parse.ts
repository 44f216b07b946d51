import { PluginServerError } from '../../errors.js';
import { buildConfig } from './build.js';
import type { PluginCatalog } from './catalog.js';
import type { GatewayConfig } from './entities.js';
import { checkMeta, EntityReader, isEmptyTable } from './entity-reader.js';
import { ENTITY_KINDS, FOREIGN_KEYS, UNCHECKED_KINDS } from './entity-schemas.js';
import { noteLostGuards } from './guards.js';
import { migratePaths } from './migrate-paths.js';
import { checkPlugin, type ParseOptions } from './plugin-entity.js';
import { formatProblem, type Problem } from './problems.js';
import { YamlSource } from './yaml-source.js';

/** A declarative config with faults; the message lists them all. */
export class DeclarativeConfigError extends PluginServerError {
  constructor(readonly problems: readonly Problem[]) {
    super('BAD_DECLARATIVE_CONFIG', problems.map(formatProblem).join('\n'));
  }
}

/** A declarative config as it was understood. */
export interface ParsedConfig {
  /** Without the entities that have a fault, and without those that the gateway does not emulate. */
  readonly config: GatewayConfig;
  /** What Kong refuses. */
  readonly problems: Problem[];
  /** What is not checked here, or has no effect in the local gateway. */
  readonly notes: Problem[];
}

const FORMATS = ['1.1', '2.1', '3.0'];

/**
 * Reads a declarative config, as Kong 3.9 with its bundled plugins and those of the catalog would.
 *
 * @param file the name that problems carry
 * @param catalog the plugins of the plugin server, and what the gateway runs itself
 */
export function parseDeclarativeConfig(
  text: string,
  file: string,
  catalog: PluginCatalog,
  options: ParseOptions = {},
): ParsedConfig {
  const source = new YamlSource(text, file);
  const reader = new EntityReader(source);
  const { problems } = source;
  const root = source.value;
  if (problems.list.length === 0 && (typeof root !== 'object' || root === null || Array.isArray(root))) {
    problems.addAt(0, 'a declarative config must be a mapping');
  }
  if (problems.list.length === 0) {
    readFile(root as Record<string, unknown>, source, reader, options);
    reader.resolve();
    for (const entity of reader.entities) {
      if (entity.kind === 'plugins') checkPlugin(entity, reader, source, catalog, options);
    }
    noteLostGuards(reader, source);
  }
  const config = buildConfig(reader.entities, source);
  problems.sort();
  return { config, problems: problems.list, notes: problems.notes };
}

function readFile(
  root: Record<string, unknown>,
  source: YamlSource,
  reader: EntityReader,
  { ignoreUnknown = false }: ParseOptions,
): void {
  const { problems } = source;
  const fault = (at: readonly (string | number)[], message: string) =>
    problems.addAt(source.offsetOf(at), `${at.join('.')}: ${message}`);
  const { _format_version: version, _transform: transform } = root;
  if (typeof version !== 'string' || !FORMATS.includes(version)) {
    const shown = version === undefined ? 'is missing' : `is ${JSON.stringify(version)}`;
    const wanted = FORMATS.map((format) => `"${format}"`).join(', ');
    problems.addAt(
      source.offsetOf(['_format_version']),
      `_format_version ${shown}, it must be one of ${wanted}`,
    );
  } else if (version !== '3.0') {
    migratePaths(root);
  }
  if (transform !== undefined && transform !== null && typeof transform !== 'boolean') {
    fault(['_transform'], 'expected a boolean');
  }
  checkMeta(root, fault);
  for (const [key, value] of Object.entries(root)) {
    if (ENTITY_KINDS[key] !== undefined) {
      reader.readList(key, value, [key]);
    } else if (UNCHECKED_KINDS.includes(key)) {
      if (value === null || isEmptyTable(value)) continue;
      if (key === 'filter_chains') fault([key], 'Kong refuses them unless its WebAssembly is switched on');
      else
        problems.noteAt(
          source.offsetOf([key], true),
          `${key}: not checked, and not emulated by the local gateway`,
        );
    } else if (!['_format_version', '_transform', '_comment', '_ignore'].includes(key)) {
      const message = `unknown field ${key}${FOREIGN_KEYS[key] === undefined ? '' : ` (${FOREIGN_KEYS[key]})`}`;
      if (ignoreUnknown) problems.noteAt(source.offsetOf([key], true), `${message}, ignored`);
      else problems.addAt(source.offsetOf([key], true), message);
    }
  }
}
