// The smallest useful plugin: greets the client in a response header.
import type kong from 'kong-pdk/kong';

/** The fields of `config` in kong.yml; Kong checks them and fills in defaults before the plugin sees them. */
export const Schema = [{ message: { type: 'string', default: 'hello' } }];

export const version = '1.0.0';

/** Among the plugins of a request, the one with the highest priority runs first. */
export const priority = 10;

/** One object is made per configuration and serves all its requests, so keep nothing of a request in it. */
export class Plugin {
  constructor(private readonly config: { message?: string }) {}

  /** Runs before the request goes to the upstream. Methods named after other phases run in those. */
  async access(kong: kong): Promise<void> {
    const host = await kong.request.getHost();
    // A call without a result need not be awaited: it is sent at once, and its answer does not matter.
    kong.response.setHeader('x-hello', `${this.config.message ?? 'hello'}, ${host}`);
  }
}
