import type { GatewayConfig, Route } from '../gateway/config/entities.js';
import { isSecretName } from './masking.js';
import type { ExchangeRecord, PluginRun, RecordedHeaders } from './record.js';

export interface CopyOptions {
  readonly config: GatewayConfig;
  /** The folder that the plugins are loaded from, as the test is to name it. */
  readonly pluginsDirectory: string;
  /** Put credentials into the source. Without it they are read from the environment. */
  readonly withSecrets: boolean;
}

/** Headers that a client writes by itself. */
const OWN = /^(?:host|connection|content-length|transfer-encoding|keep-alive|expect)$/i;
/** Response headers that differ each time, or that the body makes. */
const VOLATILE =
  /^(?:date|connection|keep-alive|content-length|transfer-encoding|via|server|x-kong-.*|x-ratelimit.*)$/i;

/**
 * The source of a test that repeats an exchange with its configuration and asserts what happened: the status, each
 * event's outcome, what plugins set towards the upstream and what the client got.
 */
export function testSource(record: ExchangeRecord, options: CopyOptions): string {
  const { request, response, upstreamRequest, upstreamResponse } = record;
  const write = new Writer(options.withSecrets);
  const plugins = configuredPlugins(record);
  const route = options.config.routes.find(({ id }) => id === record.route?.id);
  const path = request.target.replace(/\?.*/, '');
  const title = `${request.method} ${path} is answered with ${response?.status ?? 'nothing'}`;
  const config = {
    _format_version: '3.0',
    services: [
      {
        name: record.service?.name ?? 'upstream',
        url: `http://upstream${route?.service?.path ?? ''}`,
        routes: [
          { ...routeFields(route), plugins: plugins.map(({ plugin, config }) => ({ name: plugin, config })) },
        ],
      },
    ],
  };
  const lines = [
    `import assert from 'node:assert/strict';`,
    `import { test } from 'node:test';`,
    `import { startTestGateway } from 'kong-ts-pluginserver/testing';`,
    '',
    `test(${quoted(title)}, async () => {`,
    `  await using gateway = await startTestGateway({`,
    `    plugins: ${quoted(options.pluginsDirectory)},`,
    `    config: ${indented(write.value(config), 4)},`,
  ];
  if (upstreamResponse !== undefined) {
    const { status, headers, body } = upstreamResponse;
    lines.push(
      `    upstream: () => (${indented(
        `{ status: ${status}, headers: ${write.headers(headers.filter(([name]) => !OWN.test(name)))}, body: ${bodyLiteral(body.content)} }`,
        4,
      )}),`,
    );
  }
  lines.push('  });', `  const answer = await gateway.request(${write.target(request.target)}, {`);
  lines.push(`    method: ${quoted(request.method)},`);
  lines.push(
    `    headers: ${indented(write.headers(request.headers.filter(([name]) => !OWN.test(name) || (name.toLowerCase() === 'host' && (route?.hosts.length ?? 0) > 0))), 4)},`,
  );
  if (request.body.bytes > 0) lines.push(`    body: ${bodyLiteral(request.body.content)},`);
  lines.push('  });', '', `  assert.equal(answer.status, ${response?.status ?? 0});`);
  const events = record.runs
    .filter(({ outcome, phase }) => outcome !== 'running' && outcome !== 'retried' && phase !== 'log')
    .map(({ plugin, phase, outcome }) => `    [${quoted(plugin)}, ${quoted(phase)}, ${quoted(outcome)}],`);
  lines.push(
    `  const events = answer.events.filter(({ phase, outcome }) => phase !== 'log' && outcome !== 'retried');`,
    '  assert.deepEqual(',
    '    events.map(({ plugin, phase, outcome }) => [plugin, phase, outcome]),',
    events.length === 0 ? '    [],' : `    [\n  ${events.join('\n  ')}\n    ],`,
    '  );',
  );
  if (upstreamRequest === undefined) lines.push('  assert.equal(answer.upstream, undefined);');
  else {
    for (const [name, value] of setHeaders(
      record.runs,
      upstreamRequest.headers,
      /^kong\.service\.(?:request\.)?(?:set|add)_headers?$/,
    )) {
      lines.push(
        `  assert.equal(answer.upstream?.headers[${quoted(name.toLowerCase())}], ${write.named(name, value)});`,
      );
    }
  }
  const set =
    response && setHeaders(record.runs, response.headers, /^kong\.response\.(?:(?:set|add)_headers?|exit)$/);
  for (const [name, value] of set ?? []) {
    if (VOLATILE.test(name)) continue;
    lines.push(`  assert.equal(answer.headers[${quoted(name.toLowerCase())}], ${write.named(name, value)});`);
  }
  const exited = record.runs.some(({ outcome, phase }) => outcome === 'exited' && phase !== 'log');
  const text = response && textOf(response.body.content);
  if (exited && text !== undefined && response?.body.complete && !/request_id/.test(text)) {
    lines.push(`  assert.equal(answer.body, ${quoted(text)});`);
  }
  lines.push('});', '');
  return [...write.notes(record), ...lines].join('\n');
}

/** A curl command that repeats a request. */
export function curlCommand(record: ExchangeRecord, gatewayUrl: string, withSecrets: boolean): string {
  const { method, headers, target, body } = record.request;
  const parts = [`curl -i -X ${shell(method)} ${shell(`${gatewayUrl}${target}`)}`];
  for (const [name, value] of headers) {
    if (/^(?:connection|content-length|transfer-encoding|keep-alive|expect)$/i.test(name)) continue;
    parts.push(
      !withSecrets && isSecretName(name)
        ? `-H "${name}: $${variable(name)}"`
        : `-H ${shell(`${name}: ${value}`)}`,
    );
  }
  if (body.content.length > 0) {
    const text = textOf(body.content);
    if (text === undefined) {
      return `printf ${shell(body.content.toString('hex').replace(/../g, '\\x$&'))} | ${[...parts, '--data-binary @-'].join(' \\\n  ')}`;
    }
    parts.push(`--data-raw ${shell(text)}`);
  }
  return parts.join(' \\\n  ');
}

/** Each plugin once, in the order in which they ran, with the configuration it had. */
function configuredPlugins({ runs }: ExchangeRecord): PluginRun[] {
  const seen = new Map<string, PluginRun>();
  for (const run of runs) if (!seen.has(run.plugin)) seen.set(run.plugin, run);
  return [...seen.values()];
}

function routeFields(route: Route | undefined): Record<string, unknown> {
  if (route === undefined) return { paths: ['/no-such-path'] };
  const list = (name: string, values: readonly unknown[]) => (values.length === 0 ? {} : { [name]: values });
  return {
    ...(route.name === undefined ? {} : { name: route.name }),
    ...list(
      'paths',
      route.paths.map(({ text }) => text),
    ),
    ...list('methods', route.methods),
    ...list('hosts', route.hosts),
    ...(route.headers.size === 0 ? {} : { headers: Object.fromEntries(route.headers) }),
    strip_path: route.stripPath,
    preserve_host: route.preserveHost,
  };
}

/** Of the header lines that plugins wrote, those that went out. Names once; of several values the tests say nothing. */
function setHeaders(runs: readonly PluginRun[], sent: RecordedHeaders, writes: RegExp): [string, string][] {
  const names = new Set<string>();
  for (const { calls } of runs) {
    for (const { method, args } of calls) {
      if (!writes.test(method)) continue;
      const value = method.endsWith('.exit') ? args[2] : args[0];
      if (typeof value === 'string') names.add(value.toLowerCase());
      else if (typeof value === 'object')
        for (const name of Object.keys(value ?? {})) names.add(name.toLowerCase());
    }
  }
  return [...names].flatMap((name): [string, string][] => {
    const lines = sent.filter(([key]) => key.toLowerCase() === name);
    return lines.length === 1 ? [[name, lines[0]?.[1] ?? '']] : [];
  });
}

/** Writes values as source, and leaves credentials out where they are not wanted. */
class Writer {
  readonly #variables = new Set<string>();

  constructor(private readonly withSecrets: boolean) {}

  notes(record: ExchangeRecord): string[] {
    const notes: string[] = [];
    if (this.#variables.size > 0)
      notes.push(`// Credentials are read from ${[...this.#variables].join(', ')}.`);
    const cut = [record.request, record.upstreamResponse].some(
      (message) => message && !message.body.complete,
    );
    if (cut) notes.push('// A body was longer than what the inspector keeps: only its beginning is here.');
    return notes;
  }

  named(name: string, value: string): string {
    if (this.withSecrets || !isSecretName(name)) return quoted(value);
    const read = variable(name);
    this.#variables.add(read);
    return `process.env.${read} ?? ''`;
  }

  target(target: string): string {
    if (this.withSecrets) return quoted(target);
    const masked = target.replace(/([?&])([^=&]+)=([^&]*)/g, (all, mark: string, name: string) => {
      if (!isSecretName(name)) return all;
      this.#variables.add(variable(name));
      return `${mark}${name}=\u0000${variable(name)}\u0001`;
    });
    if (!masked.includes('\u0000')) return quoted(target);
    const escaped = masked.replace(/[\\`]|\$\{/g, '\\$&');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they stand for what no target has
    return `\`${escaped.replace(/\u0000(\w+)\u0001/g, '${process.env.$1}')}\``;
  }

  /** Several values of a name become a list. */
  headers(lines: RecordedHeaders): string {
    const names = new Map<string, string[]>();
    for (const [name, value] of lines) {
      const known = [...names.keys()].find((key) => key.toLowerCase() === name.toLowerCase()) ?? name;
      names.set(known, [...(names.get(known) ?? []), this.named(name, value)]);
    }
    if (names.size === 0) return '{}';
    const fields = [...names].map(
      ([name, values]) => `  ${quoted(name)}: ${values.length === 1 ? values[0] : `[${values.join(', ')}]`},`,
    );
    return `{\n${fields.join('\n')}\n}`;
  }

  value(value: unknown, name?: string): string {
    if (typeof value === 'string') return name === undefined ? quoted(value) : this.named(name, value);
    if (Array.isArray(value)) {
      if (value.length === 0) return '[]';
      return `[\n${value.map((item) => `  ${indented(this.value(item), 2)},`).join('\n')}\n]`;
    }
    if (typeof value !== 'object' || value === null) return String(value);
    const fields = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => {
        const spelled = /^[a-z_$][\w$]*$/i.test(key) && key !== '__proto__' ? key : `[${quoted(key)}]`;
        return `  ${spelled}: ${indented(this.value(item, key), 2)},`;
      });
    return fields.length === 0 ? '{}' : `{\n${fields.join('\n')}\n}`;
  }
}

function variable(name: string): string {
  return `TEST_${name.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}`;
}

function quoted(text: string): string {
  const inner = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'");
  return `'${inner.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')}'`;
}

function bodyLiteral(content: Buffer): string {
  const text = textOf(content);
  return text === undefined ? `Buffer.from('${content.toString('base64')}', 'base64')` : quoted(text);
}

/** undefined: the bytes are no text. */
function textOf(content: Buffer): string | undefined {
  const text = content.toString();
  return Buffer.from(text).equals(content) ? text : undefined;
}

function shell(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function indented(source: string, by: number): string {
  return source.replaceAll('\n', `\n${' '.repeat(by)}`);
}
