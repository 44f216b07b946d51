import { PluginServerError } from 'kong-ts-pluginserver';
import type { Position } from './compile/positions.js';

/** A function's source that cannot be compiled; the position is in that source. */
export class CompileError extends PluginServerError {
  readonly position: Position;
  /** What is wrong, without the position. */
  readonly reason: string;

  constructor(reason: string, position: Position) {
    super('JS_COMPILE', `${position.line}:${position.column}: ${reason}`);
    this.reason = reason;
    this.position = position;
  }
}

/** A plugin configuration that no instance can be made of. */
export class FunctionConfigError extends PluginServerError {
  constructor(message: string, options?: ErrorOptions) {
    super('JS_CONFIG', message, options);
  }
}

/** A function that threw or went over a limit; the message names plugin, phase, index, line and column. */
export class FunctionError extends PluginServerError {
  constructor(code: 'JS_FUNCTION' | 'JS_LIMIT', message: string) {
    super(code, message);
  }
}
