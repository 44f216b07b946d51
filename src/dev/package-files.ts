import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A file or folder of this package, which lies two folders up from these sources and three from the build. */
export function packageFile(path: string): string {
  const candidates = ['../../', '../../../'].map((up) => fileURLToPath(new URL(up + path, import.meta.url)));
  return candidates.find((candidate) => existsSync(candidate)) ?? (candidates[0] as string);
}
