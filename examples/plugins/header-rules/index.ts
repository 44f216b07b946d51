// Sets, adds and removes request headers by rules. Its schema shows every kind of field that Kong has for plugins.
//
//   npm start -- -d examples/plugins --config examples/plugins/header-rules/kong.yml
//   curl -s -H 'X-Debug: 1' 'http://127.0.0.1:8000/?tenant=acme'
import type { ConfigOf, Kong, PluginSchema } from 'kong-ts-pluginserver';

export const Schema = [
  // A switch, a number with bounds, a fraction, and a choice.
  { enabled: { type: 'boolean', default: true } },
  { max_rules: { type: 'integer', between: [1, 100], default: 20 } },
  { share: { type: 'number', gt: 0, default: 1 } },
  { on_conflict: { type: 'string', one_of: ['replace', 'keep'], default: 'replace' } },
  // Text that has to look a certain way; Lua patterns, as everywhere in Kong.
  { tenant_argument: { type: 'string', match: '^[a-z_]+$', len_min: 1, default: 'tenant' } },
  // A value that is a secret: "referenceable" takes it from a vault ({vault://env/…}), "encrypted" hides it.
  { token: { type: 'string', referenceable: true, encrypted: true } },
  // Names without order and without doubles; text by text.
  { remove: { type: 'set', elements: { type: 'string' }, default: [] } },
  { set: { type: 'map', keys: { type: 'string' }, values: { type: 'string' }, default: {} } },
  // A list of records, with a record in it.
  {
    rules: {
      type: 'array',
      len_max: 100,
      default: [],
      elements: {
        type: 'record',
        fields: [
          { header: { type: 'string', required: true } },
          { value: { type: 'string', required: true } },
          {
            when: {
              type: 'record',
              fields: [
                { header: { type: 'string' } },
                { equals: { type: 'array', elements: { type: 'string' } } },
              ],
            },
          },
        ],
      },
    },
  },
] as const satisfies PluginSchema;

export const version = '1.0.0';
export const priority = 790;

type Config = ConfigOf<typeof Schema>;

/** What the schema cannot say. Asked before deployment by `check`, and when Kong starts an instance. */
export function validate(config: Config): { path: (string | number)[]; message: string }[] {
  return config.rules.flatMap(({ when }, index) =>
    when?.equals !== undefined && when.header === undefined
      ? [{ path: ['rules', index, 'when', 'equals'], message: 'says nothing without a header' }]
      : [],
  );
}

export class Plugin {
  readonly #config: Config;

  constructor(config: Config) {
    this.#config = config;
  }

  async access(kong: Kong): Promise<void> {
    const { enabled, share, set, remove, rules, max_rules, tenant_argument, token } = this.#config;
    if (!enabled || Math.random() >= share) return;
    const [headers, tenant] = await Promise.all([
      kong.request.getHeaders(),
      kong.request.getQueryArg(tenant_argument),
    ]);
    for (const name of remove) kong.service.request.clearHeader(name);
    for (const [name, value] of Object.entries(set)) this.#put(kong, headers, name, value);
    for (const { header, value, when } of rules.slice(0, max_rules)) {
      if (applies(when, headers)) this.#put(kong, headers, header, value);
    }
    if (typeof tenant === 'string') kong.service.request.setHeader('X-Tenant', tenant);
    if (token != null) kong.service.request.setHeader('Authorization', `Bearer ${token}`);
  }

  #put(kong: Kong, headers: Record<string, unknown>, name: string, value: string): void {
    if (this.#config.on_conflict === 'keep' && headers[name.toLowerCase()] !== undefined) return;
    kong.service.request.setHeader(name, value);
  }
}

function applies(when: Config['rules'][number]['when'], headers: Record<string, unknown>): boolean {
  if (when?.header == null) return true;
  const given = [headers[when.header.toLowerCase()] ?? []].flat();
  return when.equals == null ? given.length > 0 : given.some((value) => when.equals?.includes(String(value)));
}
