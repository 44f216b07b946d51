// Takes members out of the upstream's JSON and adds others.
//
//   npm start -- -d examples/plugins --config examples/plugins/json-rewrite/kong.yml
//   curl -s http://127.0.0.1:8000/
import type { ConfigOf, Kong, PluginSchema } from 'kong-ts-pluginserver';

export const Schema = [
  { remove: { type: 'array', elements: { type: 'string' }, default: [] } },
  { add: { type: 'map', keys: { type: 'string' }, values: { type: 'string' }, default: {} } },
] as const satisfies PluginSchema;

export const version = '1.0.0';
export const priority = 810;

export class Plugin {
  readonly #config: ConfigOf<typeof Schema>;

  constructor(config: ConfigOf<typeof Schema>) {
    this.#config = config;
  }

  /** A plugin with this phase makes Kong hold back the whole response: nothing streams on its routes. */
  async response(kong: Kong): Promise<void> {
    const [status, type, encoding, body] = await Promise.all([
      kong.response.getStatus(),
      kong.response.getHeader('content-type'),
      kong.response.getHeader('content-encoding'),
      kong.service.response.getRawBody(),
    ]);
    if (encoding !== undefined || !/^application\/(?:[\w.-]+\+)?json\b/i.test(type ?? '')) return;
    const value = parse(body.toString('utf8'));
    if (value === undefined) {
      kong.log.warn('the upstream sends JSON that is none');
      return;
    }
    for (const name of this.#config.remove) delete value[name];
    Object.assign(value, this.#config.add);
    // The body goes out with a response of one's own; the headers that are there stay.
    await kong.response.exit(status, JSON.stringify(value), { 'Content-Type': type as string });
  }
}

/** Undefined for what is no JSON object. */
function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    // The upstream's mistake is not the client's: it gets what came.
    return undefined;
  }
}
