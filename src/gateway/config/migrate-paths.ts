import { normalizePath } from '../router/path.js';

type Dict = Record<string, unknown>;

/**
 * What Kong does to a file of a format before 3.0, where every path could be an expression: those that look like one
 * get their `~`, the others are normalised. Only routes at the top level and in services are looked at.
 */
export function migratePaths(root: Dict): void {
  const lists = [root.routes, ...records(root.services).map((service) => service.routes)];
  for (const route of lists.flatMap(records)) {
    if (Array.isArray(route.paths)) {
      for (const [index, path] of route.paths.entries()) {
        if (typeof path === 'string') route.paths[index] = migratePath(path);
      }
    }
  }
}

function records(value: unknown): Dict[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item): item is Dict => typeof item === 'object' && item !== null);
}

function migratePath(path: string): string {
  if (!path.startsWith('/') && !/[^a-zA-Z0-9.\-_~/%]/.test(path)) return path;
  if (/^[a-zA-Z0-9.\-_~/%]*$/.test(path)) {
    return Buffer.from(normalizePath(path), 'latin1').toString('utf8');
  }
  return `~${path.replace(/%([0-9a-f]{2})/gi, decodeInRegex)}`;
}

/** Reserved characters stay encoded, those that mean something in an expression are escaped. */
function decodeInRegex(encoded: string, hex: string): string {
  const char = String.fromCharCode(Number.parseInt(hex, 16));
  if (/[!#$%&'()*+,/:;=?@[\]]/.test(char)) return encoded.toUpperCase();
  return /[.^\-{}\\|]/.test(char) ? `\\${char}` : char;
}
