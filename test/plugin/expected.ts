/** What must come of loading the fixture folders, in this process and in plain Node alike. */

/** Name, version, priority, phases, and what the first phase's handler returns for `{ message: 'm' }`. */
export const GOOD = [
  ['default-export', '1.0.0', 12, 'certificate,preread', undefined],
  ['exports-dot', '1.0.0', 0, 'log', undefined],
  ['folder-cts', '1.0.0', 0, 'rewrite', 'dep/'],
  ['folder-mts', '1.0.0', 0, 'access,log', '4 true'],
  ['ours', '1.2.3', 7, 'access,log', 'm!'],
  ['stock-js', '0.1.0', 0, 'response', 'm!'],
  [
    'stock-typescript',
    '0.2',
    -3,
    'access',
    '62c66a7a5dd70c3146618063c344e531e6d4b59e379808443ce962b3abd63c5aobject',
  ],
];

export const ES_PACKAGE = [
  ['misplaced-js', '1.0.0', 0, 'access', '/'],
  ['misplaced-ts', '1.0.0', 0, 'access', undefined],
  ['proper', '1.0.0', 0, 'access', 'proper'],
];

/** The file, the code, and what the message must say. */
export const BROKEN: readonly [file: string, code: string, message: RegExp][] = [
  ['bad-schema.ts', 'PLUGIN_SCHEMA', /bad-schema\.ts: Schema\.s\.description: length must be at least 10$/],
  ['bad-values.js', 'PLUGIN_EXPORTS', /bad-values\.js: the version must be .*"1"; the priority .* not "10"$/],
  ['missing-import.ts', 'PLUGIN_IMPORT', /missing-import\.ts.*Cannot find module '.*nowhere\.js'/],
  ['no-class.ts', 'PLUGIN_EXPORTS', /no-class\.ts: exports no class `Plugin`$/],
  ['no-phases.js', 'PLUGIN_EXPORTS', /no-phases\.js: .* none of the methods certificate, rewrite, access/],
  ['no-version.ts', 'PLUGIN_EXPORTS', /no-version\.ts: exports no `version`/],
  ['syntax-cjs.cjs', 'PLUGIN_SYNTAX', /syntax-cjs\.cjs:4:2: syntax error: Unexpected token, expected ","$/],
  ['syntax-mjs.mjs', 'PLUGIN_SYNTAX', /syntax-mjs\.mjs:4:2: syntax error: Unexpected token, expected ","$/],
  ['syntax-ts.ts', 'PLUGIN_SYNTAX', /syntax-ts\.ts:5:1: syntax error: Unexpected token, expected ","$/],
  ['throws-text.cjs', 'PLUGIN_IMPORT', /throws-text\.cjs: threw text$/],
  ['throws.ts', 'PLUGIN_IMPORT', /throws\.ts:4:7: TypeError: boom at import$/],
];
