import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';
import { parse as parseEnv } from 'dotenv';
import ts from 'typescript';
import { parse, parseAllDocuments } from 'yaml';
import { pluginCatalog } from '../../src/gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../../src/gateway/config/parse.js';
import { kongSettings } from '../../src/plugin/kong-conf.js';
import { loadPlugins } from '../../src/plugin/loader.js';
import { parseServeFlags } from '../../src/server/flags.js';

// No cluster is needed: the values are held to the names that Kong's chart documents, and what the chart hands on to
// Kubernetes, like every resource, to the types of Kubernetes's API.

const FOLDER = 'examples/kubernetes';
const VERIFICATION = ['customer-verification'];
const FUNCTIONS = ['js-pre-function', 'js-post-function', 'js-response-function'];

interface Container {
  readonly name: string;
  readonly args: string[];
  readonly startupProbe: { readonly exec: { readonly command: string[] } };
}
interface Values {
  readonly env: Readonly<Record<string, string>>;
  readonly deployment: Readonly<Record<string, unknown>> & { readonly initContainers?: Container[] };
  readonly [name: string]: unknown;
}
interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly plugin?: string;
  readonly config?: object;
  readonly stringData?: Readonly<Record<string, string>>;
}

const read = (file: string) => readFileSync(`${FOLDER}/${file}`, 'utf8');
const valuesOf = (file: string) => parse(read(file), { merge: true }) as Values;
const resources = ['secret.yaml', 'plugins.yaml'].flatMap((file) =>
  parseAllDocuments(read(file)).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() as Resource;
  }),
);

// What the chart puts into the pod as it stands, by the name of the value.
const POD: Readonly<Record<string, string>> = {
  'deployment.initContainers': 'Container[]',
  'deployment.userDefinedVolumes': 'Volume[]',
  'deployment.userDefinedVolumeMounts': 'VolumeMount[]',
  securityContext: 'PodSecurityContext',
  startupProbe: 'Probe',
  resources: 'ResourceRequirements',
};

const TYPES = `
import type { Container, PodSecurityContext, Probe, ResourceRequirements, Secret, Volume, VolumeMount } from 'kubernetes-types/core/v1';
import type { Ingress } from 'kubernetes-types/networking/v1';
import type { ObjectMeta } from 'kubernetes-types/meta/v1';
interface KongPlugin {
  apiVersion: 'configuration.konghq.com/v1';
  kind: 'KongPlugin';
  metadata: ObjectMeta & { name: string };
  plugin: string;
  config?: object;
  disabled?: boolean;
  instance_name?: string;
  protocols?: ('http' | 'https' | 'grpc' | 'grpcs' | 'tcp' | 'tls' | 'udp')[];
}
type KongClusterPlugin = Omit<KongPlugin, 'kind' | 'metadata'> & {
  kind: 'KongClusterPlugin';
  metadata: Omit<ObjectMeta, 'namespace'> & { name: string };
};
`;

/** What the compiler says of values, each with the name of its type. */
function typeErrors(values: readonly (readonly [type: string, value: unknown])[]): string[] {
  const file = resolve('test/deploy/resources.virtual.ts');
  const source = values.map(
    ([type, value], index) => `export const value${index}: ${type} = ${JSON.stringify(value)};`,
  );
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    types: [],
    lib: ['lib.es2022.d.ts'],
    skipLibCheck: true,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.getSourceFile = (name, ...rest) =>
    name === file
      ? ts.createSourceFile(file, TYPES + source.join('\n'), ts.ScriptTarget.ES2022)
      : getSourceFile(name, ...rest);
  return ts
    .getPreEmitDiagnostics(ts.createProgram([file], options, host))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

/** The commands and entries that the values give to Kong, without what is said beside what `conf` prints. */
const entries = (values: Values): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values.env)
      .filter(([name]) => name.startsWith('plugin'))
      .map(([name, value]) => [name, value.replace(/ --(?:env-file|metrics) \S+/g, '')]),
  );

/** What `conf` prints for both servers, as one Kong needs it. */
function expectedEntries(folder: string, dumps: string | undefined): Record<string, string> {
  const of = (plugins: readonly string[], name: string, workers: number) =>
    Object.fromEntries(
      kongSettings({
        plugins,
        command: '/usr/local/bin/kong-ts-pluginserver',
        pluginsDirectory: undefined,
        socket: `${folder}/${name}.sock`,
        workers,
        envFile: undefined,
        dumps,
      }),
    );
  const all = [...VERIFICATION, ...FUNCTIONS];
  return {
    ...of(VERIFICATION, 'customer-verification', 2),
    ...of(FUNCTIONS, 'js-functions', 1),
    plugins: ['bundled', ...all].join(','),
    pluginserver_names: all.map((name) => name.replaceAll('-', '_')).join(','),
  };
}

describe('examples/kubernetes', () => {
  const image = valuesOf('values-image.yaml');
  const sidecar = valuesOf('values-sidecar.yaml');
  const files = { 'values-image.yaml': image, 'values-sidecar.yaml': sidecar };

  it('uses values that the chart documents', () => {
    const { names } = JSON.parse(readFileSync('test/fixtures/kong-chart-values.json', 'utf8')) as {
      names: string[];
    };
    const known = new Set(names);
    for (const [file, values] of Object.entries(files)) {
      for (const [name, value] of Object.entries(values)) {
        assert.ok(known.has(name), `${file}: ${name}`);
        // Of these the fixture has the names within.
        if (!['deployment', 'image', 'podDisruptionBudget'].includes(name)) continue;
        for (const inner of Object.keys(value as object)) {
          assert.ok(known.has(`${name}.${inner}`), `${file}: ${name}.${inner}`);
        }
      }
      // The chart refuses a budget for one pod.
      assert.ok((values.replicaCount as number) > 1, file);
    }
  });

  it('is what the types of Kubernetes and of the ingress controller take', () => {
    const inPods = Object.values(files).flatMap((values) =>
      Object.entries(POD).flatMap(([path, type]) => {
        const value = path
          .split('.')
          .reduce<unknown>((outer, name) => (outer as Record<string, unknown> | undefined)?.[name], values);
        return value === undefined ? [] : [[type, value] as const];
      }),
    );
    assert.equal(inPods.length, 10);
    assert.deepEqual(
      typeErrors([...inPods, ...resources.map((resource) => [resource.kind, resource] as const)]),
      [],
    );
    // The test can fail.
    const [wrong = ''] = typeErrors([['Probe', { exec: { comand: [] } }]]);
    assert.match(wrong, /"comand"' does not exist in type 'ExecAction'/);
  });

  it('says to Kong what conf prints', () => {
    assert.deepEqual(entries(image), expectedEntries('/kong_prefix', undefined));
    assert.deepEqual(entries(sidecar), expectedEntries('/run/kong-ts', '/run/kong-ts/dumps'));
  });

  it('starts servers with flags that are understood, and asks each for its health', () => {
    const secret = resources.find(({ kind }) => kind === 'Secret');
    const file = Object.keys(secret?.stringData ?? {})[0];
    const served: string[][] = [];
    for (const { args, startupProbe } of sidecar.deployment.initContainers ?? []) {
      const [word, ...flags] = args;
      assert.equal(word, 'serve');
      const options = parseServeFlags(flags);
      served.push([...options.plugins]);
      assert.deepEqual([options.socketMode, options.lingerMs], [0o660, 0]);
      assert.deepEqual(startupProbe.exec.command, [
        'kong-ts-pluginserver',
        'health',
        `--socket=${options.socket}`,
      ]);
      if (options.plugins.includes('customer-verification')) {
        assert.equal(options.envFile, `/etc/kong-ts/${file}`);
      }
    }
    assert.deepEqual(served, [VERIFICATION, FUNCTIONS]);
    for (const [name, command] of Object.entries(image.env)) {
      if (!name.endsWith('_cmd')) continue;
      const args = command.split(' ').slice(name.endsWith('start_cmd') ? 2 : 1);
      const options = parseServeFlags(args);
      const envFile = options.plugins[0] === 'customer-verification' ? `/etc/kong-ts/${file}` : undefined;
      if (envFile !== undefined) assert.equal(options.envFile, envFile, name);
      assert.match(
        JSON.stringify(image.startupProbe),
        new RegExp(`health --socket ${options.socket.replaceAll('.', '\\.')}`),
      );
    }
    const settings = Object.keys(parseEnv(secret?.stringData?.['kong.env'] ?? ''));
    for (const needed of ['SERVER_DB_DATABASE', 'SERVER_DB_USER', 'SERVER_DB_HOST']) {
      assert.ok(settings.includes(needed), needed);
    }
  });

  it('configures plugins as their schemas want it, with the guard, and both as either kind of resource', async () => {
    const { plugins } = await loadPlugins('plugins', { only: [...VERIFICATION, ...FUNCTIONS] });
    const configured = resources.filter(({ kind }) => /^Kong(Cluster)?Plugin$/.test(kind));
    for (const kind of ['KongPlugin', 'KongClusterPlugin']) {
      for (const plugin of ['customer-verification', 'js-pre-function']) {
        assert.ok(
          configured.some((one) => one.kind === kind && one.plugin === plugin),
          `${plugin} as ${kind}`,
        );
      }
    }
    for (const { metadata, plugin, config } of configured) {
      const { problems } = parseDeclarativeConfig(
        JSON.stringify({ _format_version: '3.0', plugins: [{ name: plugin, config }] }),
        metadata.name,
        pluginCatalog(plugins),
      );
      assert.deepEqual(problems, [], metadata.name);
    }
    const guard = configured.find(({ plugin }) => plugin === 'post-function');
    assert.match(JSON.stringify(guard?.config), /if not kong\.ctx\.shared\.customer_verified then/);
    const ingress = resources.find(({ kind }) => kind === 'Ingress');
    for (const name of ingress?.metadata.annotations?.['konghq.com/plugins']?.split(',') ?? ['none']) {
      assert.ok(
        configured.some((one) => one.kind === 'KongPlugin' && one.metadata.name === name),
        name,
      );
    }
  });
});
