import type { ConfigProblem, ConfigValidator, Phase } from 'kong-ts-pluginserver';
import { compileCheck } from './compile/compile.js';

/** The `validate` of a plugin with functions in these phases: compiles every function, running none. */
export function functionValidator(phases: readonly Phase[]): ConfigValidator {
  return (config) => {
    const problems: ConfigProblem[] = [];
    for (const phase of phases) {
      const sources = config[phase];
      if (!Array.isArray(sources)) continue;
      for (const [index, source] of sources.entries()) {
        const fault = typeof source === 'string' ? compileCheck(source) : undefined;
        if (fault === undefined) continue;
        const { message, line, column } = fault;
        problems.push({ path: [phase, index], message, position: { line, column } });
      }
    }
    return problems;
  };
}
