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
import { parseCommandLine } from '../command-line.js';

const USAGE = `Usage: kong-ts-pluginserver customers COMMAND [options]

  add [ID] [--uuid UUID]              adds a customer with the certificate id ID (default: a new one); prints its key
  list                                lists the customers, without their keys
  rotate ID [--overlap SECONDS]       gives a customer a new key and prints it; the old one is good for another
                                      86400 s, or for as long as --overlap says (0: not at all)
  revoke ID                           refuses a customer from now on

  --json                              prints JSON
  --env-file FILE                     where the SERVER_DB_ variables are (default: /usr/local/kong/kong.env)

A key is shown once, when it is made. The database is the one of the SERVER_DB_ variables.
`;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const CONNECT_TIMEOUT_MS = 10_000;
const STATEMENT_TIMEOUT_MS = 30_000;
const DEFAULT_OVERLAP_S = 86_400;

class UsageError extends Error {}

interface Request {
  readonly command: string;
  readonly id: string | undefined;
  readonly uuid: string | undefined;
  readonly overlapMs: number;
  readonly json: boolean;
}

/**
 * `kong-ts-pluginserver customers`.
 *
 * @returns the exit code: 0, 1 when it cannot be done, 2 for a wrong command line.
 */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values, positionals } = parseCommandLine({
      args: argv,
      allowPositionals: true,
      options: {
        uuid: { type: 'string' },
        overlap: { type: 'string' },
        json: { type: 'boolean', default: false },
        'env-file': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      return 0;
    }
    const request = parseRequest(positionals, values);
    await withTable(values['env-file'], (table) => execute(table, request));
    return 0;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (error instanceof UsageError || isParseArgsError(error)) {
      process.stderr.write(`${error.message}\n\n${USAGE}`);
      return 2;
    }
    const known = error instanceof CustomerTableError || error instanceof ConfigurationError;
    process.stderr.write(`customers: ${known ? error.message : `the database: ${describe(error)}`}\n`);
    return 1;
  }
}

function parseRequest(
  [command = '', id, ...more]: string[],
  values: { uuid?: string | undefined; overlap?: string | undefined; json: boolean },
): Request {
  if (!['add', 'list', 'rotate', 'revoke'].includes(command)) {
    throw new UsageError(command ? `unknown command ${command}` : 'a command is missing');
  }
  if (more.length > 0 || (command === 'list' && id !== undefined))
    throw new UsageError(`too many words for ${command}`);
  if (id === '') throw new UsageError('the certificate id is empty');
  if (id === undefined && ['rotate', 'revoke'].includes(command))
    throw new UsageError(`${command} needs a certificate id`);
  if (values.uuid !== undefined && (command !== 'add' || !UUID.test(values.uuid))) {
    throw new UsageError(command === 'add' ? '--uuid is not a UUID' : '--uuid is for add');
  }
  if (values.overlap !== undefined && (command !== 'rotate' || !/^\d{1,9}$/.test(values.overlap))) {
    throw new UsageError(
      command === 'rotate' ? '--overlap must be a number of seconds' : '--overlap is for rotate',
    );
  }
  const overlapMs = Number(values.overlap ?? DEFAULT_OVERLAP_S) * 1000;
  return { command, id, uuid: values.uuid, overlapMs, json: values.json };
}

async function withTable(
  envFile: string | undefined,
  use: (table: CustomerTable) => Promise<void>,
): Promise<void> {
  const { environment, warning } = readEnvironment(
    envFile === undefined ? process.env : { ...process.env, KONG_TS_ENV_FILE: envFile },
  );
  if (warning) process.stderr.write(`customers: ${warning}\n`);
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

async function execute(table: CustomerTable, { command, id, uuid, overlapMs, json }: Request): Promise<void> {
  const key = generateKey();
  switch (command) {
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

function isParseArgsError(error: Error): boolean {
  return 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}
