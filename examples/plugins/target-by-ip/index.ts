// Sends clients of certain addresses to another upstream: HTTP requests and TCP connections alike.
//
//   npm start -- -d examples/plugins --config examples/plugins/target-by-ip/kong.yml
//   curl -i http://127.0.0.1:8000/      (the local gateway has no TCP routes: Kong has, with stream_listen)
import type { ConfigOf, Kong, PluginSchema } from 'kong-ts-pluginserver';

export const Schema = [
  { addresses: { type: 'set', elements: { type: 'string' }, required: true } },
  { host: { type: 'string', required: true } },
  { port: { type: 'integer', between: [1, 65_535], required: true } },
] as const satisfies PluginSchema;

export const version = '1.0.0';
export const priority = 900;

export class Plugin {
  readonly #addresses: ReadonlySet<string>;
  readonly #config: ConfigOf<typeof Schema>;

  constructor(config: ConfigOf<typeof Schema>) {
    this.#config = config;
    this.#addresses = new Set(config.addresses);
  }

  /** HTTP: before the request goes to the upstream. */
  access(kong: Kong): Promise<void> {
    return this.#route(kong);
  }

  /** TCP and TLS: when a connection has come, before anything of it is read. There is no request and no response. */
  preread(kong: Kong): Promise<void> {
    return this.#route(kong);
  }

  async #route(kong: Kong): Promise<void> {
    const ip = await kong.client.getIp();
    if (!this.#addresses.has(ip)) return;
    kong.service.setTarget(this.#config.host, this.#config.port);
  }
}
