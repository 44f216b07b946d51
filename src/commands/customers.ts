import { randomBytes } from 'node:crypto';
import pg from 'pg';
import {
  CustomerTable,
  type ListedCustomer,
} from '../../plugins/customer-verification/customers/customer-table.js';
import { CustomerTableError } from '../../plugins/customer-verification/customers/errors.js';
import { generateKey } from '../../plugins/customer-verification/customers/rotation.js';
import { describe } from '../../plugins/customer-verification/database/customer-database.js';
import { clientConfig, databaseSettings } from '../../plugins/customer-verification/database/settings.js';
import { readEnvironment } from '../../plugins/customer-verification/environment.js';
import { ConfigurationError } from '../../plugins/customer-verification/errors.js';
import { defineCommand } from '../command-line/command.js';
import { UsageError } from '../command-line/values.js';
import { PluginServerError } from '../errors.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const CONNECT_TIMEOUT_MS = 10_000;
const STATEMENT_TIMEOUT_MS = 30_000;
const DEFAULT_OVERLAP_S = 86_400;

interface Request {
  readonly name: string;
  readonly id: string | undefined;
  readonly uuid: string | undefined;
  readonly overlapMs: number;
  readonly json: boolean;
}

export const command = defineCommand({
  program: 'kong-ts-pluginserver customers',
  usage: 'kong-ts-pluginserver customers add [ID]|list|rotate ID|revoke ID [options]',
  about: `
  add [ID]     adds a customer with the certificate id ID (default: a new one); prints its key
  list         lists the customers, without their keys
  rotate ID    gives a customer a new key and prints it; the old one is good for as long as --overlap says
  revoke ID    refuses a customer from now on

A key is shown once, when it is made. The database is the one of the SERVER_DB_ variables.`,
  words: 'add|list|rotate|revoke',
  flags: {
    '--uuid UUID': 'for add: its UUID (default: a new one)',
    '--overlap SECONDS': 'for rotate: for how long the old key is good (default: 86400; 0: not at all)',
    '--json': 'print JSON',
    '--env-file FILE': 'where the SERVER_DB_ variables are (default: /usr/local/kong/kong.env)',
  },
  async run(values, words) {
    const request = parseRequest(words, values);
    try {
      await withTable(values['env-file'], (table) => execute(table, request));
      return 0;
    } catch (error) {
      if (error instanceof CustomerTableError || error instanceof ConfigurationError) throw error;
      throw new PluginServerError('DATABASE_FAILED', `the database: ${describe(error as Error)}`);
    }
  },
});

function parseRequest(
  [name = '', id, ...more]: readonly string[],
  values: { uuid?: string | undefined; overlap?: string | undefined; json: boolean },
): Request {
  if (!['add', 'list', 'rotate', 'revoke'].includes(name)) {
    throw new UsageError(name ? `unknown command ${name}` : 'a command is missing');
  }
  if (more.length > 0 || (name === 'list' && id !== undefined))
    throw new UsageError(`too many words for ${name}`);
  if (id === '') throw new UsageError('the certificate id is empty');
  if (id === undefined && ['rotate', 'revoke'].includes(name))
    throw new UsageError(`${name} needs a certificate id`);
  if (values.uuid !== undefined && (name !== 'add' || !UUID.test(values.uuid))) {
    throw new UsageError(name === 'add' ? '--uuid is not a UUID' : '--uuid is for add');
  }
  if (values.overlap !== undefined && (name !== 'rotate' || !/^\d{1,9}$/.test(values.overlap))) {
    throw new UsageError(
      name === 'rotate' ? '--overlap must be a number of seconds' : '--overlap is for rotate',
    );
  }
  const overlapMs = Number(values.overlap ?? DEFAULT_OVERLAP_S) * 1000;
  return { name, id, uuid: values.uuid, overlapMs, json: values.json };
}

async function withTable(
  envFile: string | undefined,
  use: (table: CustomerTable) => Promise<void>,
): Promise<void> {
  const { environment, warning } = readEnvironment(
    envFile === undefined ? process.env : { ...process.env, KONG_TS_ENV_FILE: envFile },
  );
  if (warning) process.stderr.write(`kong-ts-pluginserver customers: ${warning}\n`);
  const config = clientConfig(databaseSettings(environment), 'kong-ts-pluginserver customers');
  const pool = new pg.Pool({
    ...config,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: STATEMENT_TIMEOUT_MS,
    max: 1,
  });
  pool.on('error', () => undefined); // An idle connection broke; the next statement says so.
  try {
    await use(new CustomerTable(pool));
  } finally {
    await pool.end();
  }
}

async function execute(table: CustomerTable, { name, id, uuid, overlapMs, json }: Request): Promise<void> {
  const key = generateKey();
  switch (name) {
    case 'add':
      return print(json, { ...(await table.add(id ?? newCertificateId(), key, uuid)), key });
    case 'rotate':
      return print(json, { ...(await table.rotate(String(id), key, overlapMs)), key });
    case 'revoke':
      return print(json, { ...(await table.revoke(String(id))), status: 'revoked' });
    default:
      return json ? printJsonList(table.list()) : printList(table.list());
  }
}

function newCertificateId(): string {
  return randomBytes(16).toString('hex');
}

function print(json: boolean, fields: Record<string, string>): void {
  const lines = Object.entries(fields).map(
    ([name, value]) => `${name.replace('_', ' ').padEnd(15)} ${value}\n`,
  );
  process.stdout.write(json ? `${JSON.stringify(fields)}\n` : lines.join(''));
}

async function printJsonList(pages: AsyncGenerator<ListedCustomer[]>): Promise<void> {
  let before = '[';
  for await (const page of pages) {
    for (const customer of page) {
      process.stdout.write(`${before}\n  ${JSON.stringify(customer)}`);
      before = ',';
    }
  }
  process.stdout.write(before === '[' ? '[]\n' : '\n]\n');
}

async function printList(pages: AsyncGenerator<ListedCustomer[]>): Promise<void> {
  let count = 0;
  for await (const page of pages) {
    count += page.length;
    for (const { uuid, status, keys, certificate_id } of page) {
      process.stdout.write(`${uuid}  ${status.padEnd(9)}  ${keysText(keys).padEnd(8)}  ${certificate_id}\n`);
    }
  }
  process.stderr.write(`${count} ${count === 1 ? 'customer' : 'customers'}\n`);
}

function keysText(keys: ListedCustomer['keys']): string {
  const ending = keys.map(({ not_after }) => not_after).filter((end) => end !== undefined);
  const last = ending.length > 0 ? ` (one until ${ending.sort().at(0)})` : '';
  return `${keys.length} ${keys.length === 1 ? 'key' : 'keys'}${last}`;
}
