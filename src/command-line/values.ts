import { PluginServerError } from '../errors.js';

/** The command line cannot be understood. */
export class UsageError extends PluginServerError {
  constructor(message: string) {
    super('USAGE', message);
  }
}

/** An address to connect to, or to listen on. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** @throws UsageError naming the flag and the numbers that it takes */
export function wholeNumber(flag: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`${flag} must be a whole number from ${min} to ${max}, not "${text}"`);
}

/** @throws UsageError naming the flag and the lowest port */
export function portNumber(flag: string, text: string, lowest = 0): number {
  return wholeNumber(`the port of ${flag}`, text, lowest, 65_535);
}

/** @throws UsageError naming the flag */
export function hostAndPort(flag: string, text: string, lowest = 0): HostAndPort {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text);
  if (match === null) throw new UsageError(`${flag} must be HOST:PORT, not "${text}"`);
  return { host: match[1] ?? match[2] ?? '', port: portNumber(flag, match[3] ?? '', lowest) };
}

/** @throws UsageError naming the flag and what it may be */
export function oneOf<const T extends string>(flag: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((candidate) => candidate === text);
  if (choice !== undefined) return choice;
  throw new UsageError(`${flag} must be ${choices.join(' or ')}, not "${text}"`);
}
