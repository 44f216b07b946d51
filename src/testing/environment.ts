import { TestKitError } from './errors.js';

interface Held {
  readonly value: string;
  readonly before: string | undefined;
  users: number;
}

/** Variables that gateways of this process have set. */
const held = new Map<string, Held>();

/**
 * Sets environment variables of this process, where plugins look for them. Gateways that run at the same time may share
 * a value, and the last one puts back what there was.
 *
 * @returns what puts them back
 * @throws TestKitError `TEST_ENV` when another gateway has set one of them to another value
 */
export function setEnvironment(env: Readonly<Record<string, string>>): () => void {
  for (const [name, value] of Object.entries(env)) {
    const other = held.get(name);
    if (other === undefined || other.value === value) continue;
    throw new TestKitError(
      'TEST_ENV',
      `another test gateway of this process runs with another value of ${name}: close it first, or run the tests one after the other`,
    );
  }
  for (const [name, value] of Object.entries(env)) {
    const entry = held.get(name) ?? { value, before: process.env[name], users: 0 };
    entry.users += 1;
    held.set(name, entry);
    process.env[name] = value;
  }
  return () => {
    for (const name of Object.keys(env)) release(name);
  };
}

function release(name: string): void {
  const entry = held.get(name);
  if (entry === undefined) return;
  entry.users -= 1;
  if (entry.users > 0) return;
  held.delete(name);
  if (entry.before === undefined) delete process.env[name];
  else process.env[name] = entry.before;
}
