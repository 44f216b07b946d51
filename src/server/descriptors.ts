import { readFileSync } from 'node:fs';

/** For what else a process opens: databases, files, the system's own. */
const RESERVED = 128;
const LEAST = 16;

/** How many connections a process may hold so that it does not run out of file descriptors. */
export function mostConnections(): number {
  const limit = descriptorLimit();
  return limit === undefined ? Number.POSITIVE_INFINITY : Math.max(LEAST, limit - RESERVED, limit >> 1);
}

/** The limit of this process; undefined where the system does not say. */
function descriptorLimit(): number | undefined {
  try {
    const match = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return match === null ? undefined : Number(match[1]);
  } catch {
    // Only Linux has this file.
    return undefined;
  }
}
