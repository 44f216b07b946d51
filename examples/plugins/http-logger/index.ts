// Sends what happened to each request to a collector, as lines of JSON, several in one POST.
//
//   npm start -- -d examples/plugins --config examples/plugins/http-logger/kong.yml
//   curl -s http://127.0.0.1:8000/
import { type ConfigOf, type Kong, metrics, type PluginSchema, reports } from 'kong-ts-pluginserver';

export const Schema = [
  { url: { type: 'string', required: true, match: '^https?://' } },
  { headers: { type: 'map', keys: { type: 'string' }, values: { type: 'string' }, default: {} } },
  { batch: { type: 'integer', between: [1, 1000], default: 100 } },
  { wait_seconds: { type: 'number', between: [0, 60], default: 1 } },
  { queue: { type: 'integer', between: [1, 100_000], default: 10_000 } },
] as const satisfies PluginSchema;

export const version = '1.0.0';
export const priority = 12;

const lost = metrics.counter('http_logger_lost_total', 'Entries that were not delivered.', ['reason']);
const report = reports('http-logger');

export class Plugin {
  readonly #config: ConfigOf<typeof Schema>;
  readonly #line: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;

  constructor(config: ConfigOf<typeof Schema>) {
    this.#config = config;
  }

  /** Runs when the client has its response, so nobody waits for it. */
  async log(kong: Kong): Promise<void> {
    const entry = await kong.log.serialize();
    if (report.pending) await report.flush(kong);
    if (this.#line.length >= this.#config.queue) {
      // A collector that is away must not cost the memory of everything else.
      lost.inc({ reason: 'queue_full' });
      return;
    }
    this.#line.push(String(entry));
    if (this.#line.length >= this.#config.batch) void this.#send();
    else this.#timer ??= setTimeout(() => void this.#send(), this.#config.wait_seconds * 1000).unref();
  }

  /** What is left goes out when the instance is closed. */
  async close(): Promise<void> {
    await this.#send();
  }

  /** One POST at a time; what comes in meanwhile goes with the next. */
  #send(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    const { url, headers, batch } = this.#config;
    while (this.#line.length > 0) {
      const entries = this.#line.splice(0, batch);
      try {
        const response = await fetch(url, {
          method: 'POST',
          headers: { 'content-type': 'application/x-ndjson', ...headers },
          body: `${entries.join('\n')}\n`,
          signal: AbortSignal.timeout(5000),
        });
        await response.arrayBuffer();
        if (!response.ok) throw new Error(`status ${response.status}`);
      } catch (error) {
        lost.inc({ reason: 'not_delivered' }, entries.length);
        report.inBackground(
          'warn',
          'collector',
          `${entries.length} entries lost: ${(error as Error).message}`,
        );
      }
    }
  }
}
