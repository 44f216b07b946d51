/** The folder of the build: every file that reads its own URL does so through here, from a chunk in `dist/chunks`. */
const BUILD = new URL('../', import.meta.url);

/**
 * Where a module would lie if the build had one file per source file, so that what is found relative to a source file is
 * found relative to its bundle.
 *
 * @param path of the module within the build, like `src/cli.js`
 */
export function moduleUrl(path: string): string {
  return new URL(path, BUILD).href;
}
