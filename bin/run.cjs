'use strict';
const { existsSync } = require('node:fs');
const { enableCompileCache } = require('node:module');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');

const cli = join(__dirname, '../dist/src/cli.js');
if (!existsSync(cli)) {
  process.stderr.write('kong-ts-pluginserver: this clone is not built yet: npm run build\n');
  process.exit(1);
}
// Filled where the image is built; whoever runs it needs no right to write there.
const cache = join(__dirname, '../dist/compile-cache');
if (enableCompileCache !== undefined && process.env.NODE_COMPILE_CACHE === undefined && existsSync(cache)) {
  enableCompileCache(cache);
}
// Stack traces name the sources, not the bundle.
process.setSourceMapsEnabled(true);
import(pathToFileURL(cli).href);
