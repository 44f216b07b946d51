/** A file to be written: its path below the folder that is scaffolded, and its text. */
export interface ScaffoldFile {
  readonly path: string;
  readonly text: string;
}

/**
 * The files of one plugin: its module and the module's test.
 *
 * @param name as it stands in kong.yml: letters, digits and hyphens
 */
export function pluginFiles(name: string): ScaffoldFile[] {
  return [
    { path: `${name}/index.ts`, text: pluginSource(name) },
    { path: `${name}/index.test.ts`, text: testSource(name) },
  ];
}

/** What kong.yml needs to use the plugin on every route. */
export function configLines(name: string): string {
  return `plugins:
  - name: ${name}
    config:
      header: x-name
`;
}

function pluginSource(name: string): string {
  return `import type { ConfigOf, Kong, PluginSchema } from 'kong-ts-pluginserver';

/** The fields of \`config\` in kong.yml. Kong checks them and fills in the defaults. */
export const Schema = [
  { header: { type: 'string', default: 'x-name' } },
  { status: { type: 'integer', between: [400, 599], default: 401 } },
  { greetings: { type: 'map', keys: { type: 'string' }, values: { type: 'string' }, default: { en: 'hello' } } },
] as const satisfies PluginSchema;

export const version = '0.1.0';

/** Of the plugins of a request, the one with the highest priority runs first. */
export const priority = 1000;

/** ${name}: one object for each configuration. It serves all its requests, so keep nothing of a request in it. */
export class Plugin {
  readonly #config: ConfigOf<typeof Schema>;

  constructor(config: ConfigOf<typeof Schema>) {
    this.#config = config;
  }

  /** Runs before the request goes to the upstream. */
  async access(kong: Kong): Promise<void> {
    const name = await kong.request.getHeader(this.#config.header);
    if (name === undefined) {
      // Ends the request and the handler: nothing below runs.
      await kong.response.exit(this.#config.status, { message: \`\${this.#config.header} is missing\` });
    }
    const greeting = this.#config.greetings.en ?? 'hello';
    // A call without a result need not be awaited.
    kong.service.request.setHeader('X-Greeting', \`\${greeting}, \${name}\`);
  }
}
`;
}

function testSource(name: string): string {
  return `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeKong, startTestGateway } from 'kong-ts-pluginserver/testing';
import * as plugin from './index.ts';

const config = { header: 'x-name', status: 401, greetings: { en: 'hello' } };

test('the upstream gets a greeting', async () => {
  const { upstream } = await fakeKong({ request: { headers: { 'x-name': 'Jo' } } }).run((kong) =>
    new plugin.Plugin(config).access(kong),
  );
  assert.equal(upstream?.headers['x-greeting'], 'hello, Jo');
});

test('a request without a name is refused', async () => {
  const { exit } = await fakeKong().run((kong) => new plugin.Plugin(config).access(kong));
  assert.equal(exit?.status, 401);
});

test('through the gateway, with the defaults of the schema', async () => {
  await using gateway = await startTestGateway({
    plugins: { '${name}': plugin },
    routes: [{ paths: ['/'], plugins: [{ name: '${name}', config: { status: 403 } }] }],
  });
  assert.equal((await gateway.request('/')).status, 403);
  const { status, upstream } = await gateway.request('/', { headers: { 'x-name': 'Jo' } });
  assert.equal(status, 200);
  assert.equal(upstream?.headers['x-greeting'], 'hello, Jo');
});
`;
}
