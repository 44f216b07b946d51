import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The view library, one file: preact with its hooks and htm. The build lays it beside the page. */
export const VENDOR_FILE = 'vendor.js';

/** The page's own files. */
export const PAGE_FILES = [
  'index.html',
  'style.css',
  'app.js',
  'list.js',
  'detail.js',
  'timeline.js',
  'messages.js',
  'tools.js',
  'parts.js',
  'plugins.js',
];

const TYPES: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
};

export interface Asset {
  readonly type: string;
  readonly content: Buffer;
}

/** Everything the page consists of, by its path. */
export function loadAssets(): ReadonlyMap<string, Asset> {
  const assets = new Map<string, Asset>();
  for (const file of PAGE_FILES) {
    const type = TYPES[file.replace(/.*\./, '')] ?? '';
    assets.set(`/${file}`, { type, content: readFileSync(new URL(`./page/${file}`, import.meta.url)) });
  }
  assets.set(`/${VENDOR_FILE}`, { type: TYPES.js ?? '', content: vendored() });
  assets.set('/', assets.get('/index.html') as Asset);
  return assets;
}

function vendored(): Buffer {
  try {
    return readFileSync(new URL(`./page/${VENDOR_FILE}`, import.meta.url));
  } catch {
    // Not a build: the sources run, and the library is where npm put it.
    return readFileSync(vendorSource());
  }
}

/** Where npm put the library. */
export function vendorSource(): string {
  return join(dirname(createRequire(import.meta.url).resolve('htm/preact')), 'standalone.module.js');
}
