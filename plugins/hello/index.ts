// The smallest useful plugin: greets the client in a response header.
import type { ConfigOf, Kong, PluginSchema } from 'kong-ts-pluginserver';

/** The fields of `config` in kong.yml; Kong checks them and fills in defaults before the plugin sees them. */
export const Schema = [
  { message: { type: 'string', required: true, default: 'hello' } },
] as const satisfies PluginSchema;

export const version = '1.0.0';

/** Among the plugins of a request, the one with the highest priority runs first. */
export const priority = 10;

/** One object is made per configuration and serves all its requests, so keep nothing of a request in it. */
export class Plugin {
  readonly message: string;

  constructor(config: ConfigOf<typeof Schema>) {
    this.message = config.message;
  }

  /** Runs before the request goes to the upstream. Methods named after other phases run in those. */
  async access(kong: Kong): Promise<void> {
    const host = await kong.request.getHost();
    // A call without a result need not be awaited: it is sent at once, and its answer does not matter.
    kong.response.setHeader('x-hello', `${this.message}, ${host}`);
  }
}
