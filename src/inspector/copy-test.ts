import type { GatewayConfig, Route } from '../gateway/config/entities.js';
import { headerWriters } from './changes.js';
import type { ExchangeRecord, PluginRun, RecordedHeaders } from './record.js';
import { indented, quoted, SourceWriter } from './source-writer.js';
import { textOf } from './values.js';

export interface CopyOptions {
  readonly config: GatewayConfig;
  /** The folder that the plugins are loaded from, as the test is to name it. */
  readonly pluginsDirectory: string;
  /** The environment variables that the plugins found. */
  readonly variables: readonly string[];
  /** Put credentials into the source. Without it they are read from the environment. */
  readonly withSecrets: boolean;
}

/** Headers that a client or a server writes by itself. */
const OWN = /^(?:host|connection|content-length|transfer-encoding|keep-alive|expect)$/i;
/** Response headers that differ each time, or that the body makes. */
const VOLATILE =
  /^(?:date|connection|keep-alive|content-length|transfer-encoding|via|server|x-kong-.*|x-ratelimit.*)$/i;

/**
 * The source of a test that repeats an exchange with its configuration and asserts what happened: the status, each
 * event's outcome, what plugins set towards the upstream and what the client got.
 */
export function testSource(record: ExchangeRecord, options: CopyOptions): string {
  const { request, response, upstreamRequest } = record;
  const write = new SourceWriter(record, options.withSecrets);
  const route = options.config.routes.find(({ id }) => id === record.route?.id);
  const path = request.target.replace(/\?.*/, '');
  const title = `${request.method} ${path} is answered with ${response?.status ?? 'nothing'}`;
  const target = write.target(request.target, (pieces) =>
    pieces.every((piece) => typeof piece === 'string') ? write.text(pieces.join('')) : template(pieces),
  );
  const isSent = ([name]: readonly [string, string]) =>
    !OWN.test(name) || (name.toLowerCase() === 'host' && (route?.hosts?.length ?? 0) > 0);
  const lines = [
    `test(${write.text(title)}, async () => {`,
    `  await using gateway = await startTestGateway({`,
    `    plugins: ${quoted(options.pluginsDirectory)},`,
    `    config: ${indented(write.value(configOf(record, route)), 4)},`,
    ...upstreamLines(record, write),
    '  });',
    `  const answer = await gateway.request(${target}, {`,
    `    method: ${quoted(request.method)},`,
    `    headers: ${indented(write.headers(request.headers.filter(isSent)), 4)},`,
    ...(request.body.bytes > 0 ? [`    body: ${write.body(request.body.content)},`] : []),
    '  });',
    '',
    `  assert.equal(answer.status, ${response?.status ?? 0});`,
    ...eventLines(record),
  ];
  if (upstreamRequest === undefined) lines.push('  assert.equal(answer.upstream, undefined);');
  for (const [name, value] of writtenHeaders(record.runs, upstreamRequest?.headers ?? [], 'request')) {
    lines.push(
      `  assert.equal(answer.upstream?.headers[${quoted(name)}], ${write.named(name, textOf(value))});`,
    );
  }
  for (const [name, value] of writtenHeaders(record.runs, response?.headers ?? [], 'response')) {
    if (VOLATILE.test(name)) continue;
    lines.push(`  assert.equal(answer.headers[${quoted(name)}], ${write.named(name, textOf(value))});`);
  }
  const exited = record.runs.some(({ outcome, phase }) => outcome === 'exited' && phase !== 'log');
  const text = response && write.bodyText(response.body.content);
  if (exited && text !== undefined && response?.body.complete && !/request_id|•••/.test(text)) {
    lines.push(`  assert.equal(answer.body, ${quoted(text)});`);
  }
  const head = [
    `import assert from 'node:assert/strict';`,
    `import { test } from 'node:test';`,
    `import { startTestGateway } from 'kong-ts-pluginserver/testing';`,
    '',
  ];
  return [...notes(record, options, write), ...head, ...lines, '});', ''].join('\n');
}

/** What whoever runs the test has to know. */
function notes(record: ExchangeRecord, { variables }: CopyOptions, write: SourceWriter): string[] {
  const cut = [record.request, record.upstreamResponse].some((message) => message && !message.body.complete);
  const list = (names: readonly string[]) => names.join(', ');
  return [
    ...(write.variables.length > 0 ? [`// Credentials are read from ${list(write.variables)}.`] : []),
    ...(write.isMasked ? ['// Where ••• stands, a credential was left out: put in one of yours.'] : []),
    ...(variables.length > 0
      ? [`// The plugins found ${list(variables)} in their environment: set them here, too.`]
      : []),
    ...(cut ? ['// A body was longer than what the inspector keeps: only its beginning is here.'] : []),
  ];
}

/** One service with one route, which has all plugins that ran, each once and with the configuration it had. */
function configOf(record: ExchangeRecord, route: Route | undefined): object {
  const plugins = new Map<string, PluginRun>();
  for (const run of record.runs) if (!plugins.has(run.plugin)) plugins.set(run.plugin, run);
  return {
    _format_version: '3.0',
    services: [
      {
        name: record.service?.name ?? 'upstream',
        url: `http://upstream${route?.service?.path ?? ''}`,
        routes: [
          {
            ...routeFields(route),
            plugins: [...plugins.values()].map(({ plugin, config }) => ({
              name: plugin,
              config: withoutScope(config),
            })),
          },
        ],
      },
    ],
  };
}

/** What Kong adds to a configuration for the plugin server is no field of the schema. */
function withoutScope(config: PluginRun['config']): object {
  const { route_id, service_id, consumer_id, ...own } = (config ?? {}) as Record<string, unknown>;
  return own;
}

function routeFields(route: Route | undefined): Record<string, unknown> {
  if (route === undefined) return { paths: ['/no-such-path'] };
  const { name, paths, methods, hosts, headers, strip_path, preserve_host } = route;
  const fields = { name, paths, methods, hosts, headers, strip_path, preserve_host };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function upstreamLines({ upstreamResponse }: ExchangeRecord, write: SourceWriter): string[] {
  if (upstreamResponse === undefined) return [];
  const { status, headers, body } = upstreamResponse;
  const lines = write.headers(headers.filter(([name]) => !OWN.test(name)));
  const answer = `{ status: ${status}, headers: ${lines}, body: ${write.body(body.content)} }`;
  return [`    upstream: () => (${indented(answer, 4)}),`];
}

function eventLines({ runs }: ExchangeRecord): string[] {
  const events = runs
    .filter(({ outcome, phase }) => outcome !== 'running' && outcome !== 'retried' && phase !== 'log')
    .map(({ plugin, phase, outcome }) => `      [${[plugin, phase, outcome].map(quoted).join(', ')}],`);
  return [
    `  const events = answer.events.filter(({ phase, outcome }) => phase !== 'log' && outcome !== 'retried');`,
    '  assert.deepEqual(',
    '    events.map(({ plugin, phase, outcome }) => [plugin, phase, outcome]),',
    events.length === 0 ? '    [],' : `    [\n${events.join('\n')}\n    ],`,
    '  );',
  ];
}

/** Of the header lines that plugins wrote, those that went out. Of several values of a name the test says nothing. */
function writtenHeaders(
  runs: readonly PluginRun[],
  sent: RecordedHeaders,
  side: 'request' | 'response',
): [string, string][] {
  return [...headerWriters(runs, side).keys()].flatMap((name): [string, string][] => {
    const lines = sent.filter(([key]) => key.toLowerCase() === name);
    return lines.length === 1 ? [[name, lines[0]?.[1] ?? '']] : [];
  });
}

function template(pieces: readonly (string | { variable: string })[]): string {
  const inner = pieces.map((piece) =>
    typeof piece === 'string' ? piece.replace(/[\\`]|\$\{/g, '\\$&') : `\${process.env.${piece.variable}}`,
  );
  return `\`${inner.join('')}\``;
}
