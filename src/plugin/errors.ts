import { PluginServerError } from '../errors.js';

/**
 * Why a plugin could not be loaded:
 * - `PLUGIN_DIRECTORY`: the plugins directory cannot be read.
 * - `PLUGIN_NOT_FOUND`: a plugin asked for by name is not in the directory.
 * - `PLUGIN_SYNTAX`: the file, or one it imports, does not parse.
 * - `PLUGIN_IMPORT`: the file threw while it was imported.
 * - `PLUGIN_EXPORTS`: it does not export what a plugin must export.
 * - `PLUGIN_SCHEMA`: Kong would refuse its `Schema`.
 * - `PLUGIN_DUPLICATE`: two files define a plugin of one name.
 */
export type PluginLoadErrorCode =
  | 'PLUGIN_DIRECTORY'
  | 'PLUGIN_NOT_FOUND'
  | 'PLUGIN_SYNTAX'
  | 'PLUGIN_IMPORT'
  | 'PLUGIN_EXPORTS'
  | 'PLUGIN_SCHEMA'
  | 'PLUGIN_DUPLICATE';

/** A place in a source file; lines and columns count from 1. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column?: number;
}

/** One plugin that could not be loaded; the message names the file (with the line where known) and the reason. */
export class PluginLoadError extends PluginServerError {
  override readonly code: PluginLoadErrorCode;
  /** The plugin's file, or the directory where no single file is at fault. Empty for a plugin without a file. */
  readonly file: string;
  /** What was wrong, without the file. */
  readonly reason: string;
  /** Where, when known; may be in a file that the plugin imports. */
  readonly location: SourceLocation | undefined;

  constructor(
    code: PluginLoadErrorCode,
    file: string,
    reason: string,
    options: ErrorOptions & { location?: SourceLocation | undefined } = {},
  ) {
    const { location, ...rest } = options;
    super(code, describe(file, reason, location), rest);
    this.code = code;
    this.file = file;
    this.reason = reason;
    this.location = location;
  }
}

function describe(file: string, reason: string, location: SourceLocation | undefined): string {
  if (location === undefined) return file === '' ? reason : `${file}: ${reason}`;
  const place = [location.file, location.line, location.column]
    .filter((part) => part !== undefined)
    .join(':');
  return location.file === file ? `${place}: ${reason}` : `${file}: ${reason} (at ${place})`;
}
