// kong-pdk is the contract: what is typed by it can be given ours, and nothing that it declares is missing.
import type Stock from 'kong-pdk/kong';
import { type Kong, startDedicatedServer } from 'kong-ts-pluginserver';

async function handler(kong: Stock): Promise<void> {
  await kong.response.setHeader('x-host', await kong.request.getHost());
}

export const given = (kong: Kong): Promise<void> => handler(kong);

class Plugin {
  constructor(readonly config: { message: string }) {}
  access(kong: Stock): Promise<void> {
    return handler(kong);
  }
}

export const started = () => startDedicatedServer('p', Plugin, '1.0.0', 1, []);

/** The paths of all functions that a type declares. */
type Functions<T, Path extends string = ''> = {
  [Name in keyof T & string]: T[Name] extends (...args: never[]) => unknown
    ? `${Path}${Name}` | (T[Name] extends Nested ? Functions<T[Name], `${Path}${Name}.`> : never)
    : Functions<T[Name], `${Path}${Name}.`>;
}[keyof T & string];
type Nested = { on: unknown } | { err: unknown };

// kong-pdk's own import of its enterpriseEdition does not resolve.
type Missing = Exclude<Functions<Omit<Stock, 'enterpriseEdition'>>, Functions<Kong>>;
export const missing: [Missing] extends [never] ? true : Missing = true;
