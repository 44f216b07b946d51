import { createRequire } from 'node:module';

type BlankSpace = typeof import('ts-blank-space');
type TypeScript = typeof import('typescript');

/** The TypeScript parser and the stripper of its types. */
export interface TypeTools {
  readonly ts: TypeScript;
  readonly blankSourceFile: BlankSpace['blankSourceFile'];
}

let tools: TypeTools | undefined;

/** Loads the tools on first use: they are large, and asking a plugin for its schema needs none of them. */
export function typeTools(): TypeTools {
  if (tools === undefined) {
    const require = createRequire(import.meta.url);
    const { blankSourceFile } = require('ts-blank-space') as BlankSpace;
    tools = { ts: require('typescript') as TypeScript, blankSourceFile };
  }
  return tools;
}
