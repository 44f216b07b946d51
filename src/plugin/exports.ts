/** The parts of a plugin as its module exports them, still unchecked. */
export interface PluginParts {
  readonly name: unknown;
  readonly version: unknown;
  readonly priority: unknown;
  readonly schema: unknown;
  readonly Plugin: unknown;
  readonly validate?: unknown;
  readonly prepare?: unknown;
}

/** The spellings of each part: this server's own first, then the stock JavaScript server's. */
const SPELLINGS = {
  name: ['name', 'Name'],
  version: ['version', 'Version'],
  priority: ['priority', 'Priority'],
  schema: ['Schema'],
  Plugin: ['Plugin'],
  validate: ['validate'],
  prepare: ['prepare'],
} as const;

/**
 * Reads the parts out of an imported module: named exports, `export default {…}`, `module.exports = {…}`, or a
 * default export wrapped once more, which is what importing compiled CommonJS gives.
 */
export function readExports(module: unknown): PluginParts {
  const layers: Record<string, unknown>[] = [];
  for (let layer = module; isObject(layer) && layers.length < 3; layer = layer.default) layers.push(layer);
  const read = (part: keyof typeof SPELLINGS): unknown => {
    for (const layer of layers) {
      // A class or function has a `name` of its own that nobody exported.
      if (typeof layer === 'function' && part === 'name') continue;
      for (const spelling of SPELLINGS[part]) if (layer[spelling] !== undefined) return layer[spelling];
    }
    return undefined;
  };
  return {
    name: read('name'),
    version: read('version'),
    priority: read('priority'),
    schema: read('schema'),
    Plugin: read('Plugin'),
    validate: read('validate'),
    prepare: read('prepare'),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
