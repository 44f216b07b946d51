import { readFile } from 'node:fs/promises';
import type { HeaderNames } from '../../plugins/customer-verification/client/header-names.js';
import {
  ALGORITHMS,
  BINDABLE,
  type Bindable,
  SignedTextError,
  splitTarget,
} from '../../plugins/customer-verification/client/signed-text.js';
import { type SigningOptions, signatureHeaders } from '../../plugins/customer-verification/client/signer.js';
import { defineCommand } from '../command-line/command.js';
import type { Values } from '../command-line/flags.js';
import { oneOf, UsageError } from '../command-line/values.js';
import { PluginServerError } from '../errors.js';

const FLAGS = {
  '--certificate-id ID': "the customer's certificate id",
  '--key KEY': "the customer's key; or",
  '--key-file FILE': 'a file with the key in its first line ("-": standard input)',
  '--time TIME': 'the time to sign (default: now, in Unix milliseconds)',
  '--algorithm sha256|hmac-sha256|hmac-sha512': 'default: sha256',
  '--bind PARTS…': `any of ${BINDABLE.join(',')}, separated by commas`,
  '-X, --method METHOD': "the request's method (default: GET, or POST with a body)",
  '--path /PATH': "the request's path as it is sent, and",
  '--query QUERY': 'its query without the "?" (both: default those of the --curl URL)',
  '--body TEXT': "the request's body; or",
  '--body-file FILE': 'a file that holds it',
  '--certificate-header NAME': 'the name of this header, where the plugin is configured for another',
  '--signature-header NAME': 'the same',
  '--time-header NAME': 'the same',
  '--curl URL': 'print a curl command for URL that sends all of this',
} as const;

export const command = defineCommand({
  program: 'kong-ts-pluginserver sign',
  usage: 'kong-ts-pluginserver sign --certificate-id ID --key KEY [options]',
  about: 'Prints the three headers of a signed request, or with --curl the whole command.',
  flags: FLAGS,
  async run(values) {
    try {
      process.stdout.write(await sign(values));
      return 0;
    } catch (error) {
      if (!(error instanceof SignedTextError)) throw error;
      throw new PluginServerError('CANNOT_SIGN', `cannot sign: ${error.message}`);
    }
  },
});

async function sign(values: Values<typeof FLAGS>): Promise<string> {
  const url = values.curl === undefined ? undefined : parseUrl(values.curl);
  const target = url && splitTarget(url.pathname + url.search);
  const body = await readBody(values.body, values['body-file']);
  const method = values.method ?? (body === undefined ? 'GET' : 'POST');
  const path = values.path ?? target?.path;
  const query = values.query ?? (target?.query || (path === undefined ? undefined : ''));
  const options: SigningOptions = {
    certificateId: headerSafe(
      'client-certificate-id',
      required('--certificate-id', values['certificate-id']),
    ),
    key: await readKey(values.key, values['key-file']),
    algorithm: oneOf('--algorithm', values.algorithm ?? 'sha256', ALGORITHMS),
    bind: bindings(values.bind),
    headers: headerNames({
      certificateId: values['certificate-header'],
      signature: values['signature-header'],
      time: values['time-header'],
    }),
    ...(values.time !== undefined && { time: values.time }),
  };
  const headers = await signatureHeaders(options, { method, path, query, body });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${headerSafe(name, value)}`);
  if (!url) return `${lines.join('\n')}\n`;
  return `${curlCommand({ url, method, lines, body: values.body, bodyFile: values['body-file'] })}\n`;
}

function curlCommand(request: {
  url: URL;
  method: string;
  lines: readonly string[];
  body: string | undefined;
  bodyFile: string | undefined;
}): string {
  const { url, method, lines, body, bodyFile } = request;
  const hasBody = body !== undefined || bodyFile !== undefined;
  const words = ['curl'];
  // What is signed is what is sent: curl would otherwise expand brackets and resolve dot segments.
  if (/[[\]{}]/.test(url.href)) words.push('--globoff');
  if (method === 'HEAD') words.push('--head');
  else if (method !== (hasBody ? 'POST' : 'GET')) words.push('-X', method);
  for (const line of lines) words.push('-H', line);
  if (body !== undefined) words.push('--data-raw', body);
  if (bodyFile !== undefined) words.push('--data-binary', `@${bodyFile}`);
  words.push(url.href);
  return words.map(shellQuoted).join(' ');
}

/** A word for a POSIX shell. */
export function shellQuoted(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

async function readKey(key: string | undefined, file: string | undefined): Promise<string> {
  if ((key === undefined) === (file === undefined)) throw new UsageError('give one of --key and --key-file');
  if (file === undefined) return required('--key', key);
  const text = await readFile(file === '-' ? '/dev/stdin' : file, 'utf8').catch(unreadable(file));
  return required('the key file', text.split(/\r?\n/, 1)[0]);
}

async function readBody(
  body: string | undefined,
  file: string | undefined,
): Promise<string | Buffer | undefined> {
  if (body !== undefined && file !== undefined)
    throw new UsageError('give only one of --body and --body-file');
  return file === undefined ? body : await readFile(file).catch(unreadable(file));
}

function unreadable(file: string): (error: Error) => never {
  return (error) => {
    throw new UsageError(`cannot read ${file}: ${'code' in error ? error.code : error.message}`);
  };
}

function bindings(values: readonly string[]): Bindable[] {
  const names = values.flatMap((value) => value.split(',')).filter((name) => name !== '');
  return names.map((name) => oneOf('--bind', name, BINDABLE));
}

function required(flag: string, value: string | undefined): string {
  if (!value) throw new UsageError(`${flag} is missing or empty`);
  return value;
}

function headerNames(names: Record<keyof HeaderNames, string | undefined>): Partial<HeaderNames> {
  return Object.fromEntries(Object.entries(names).filter(([, name]) => name !== undefined));
}

function headerSafe(name: string, value: string): string {
  if (/[\r\n\0]/.test(value))
    throw new UsageError(`the value of ${name} holds a line break, which no header can`);
  return value;
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new UsageError(`--curl needs an http or https URL, not ${text}`);
  url.hash = '';
  return url;
}
