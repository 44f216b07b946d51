import { FREEZE } from './freeze.js';
import { GLOBALS } from './globals.js';
import { GUARDS } from './guards.js';
import { RUNS } from './runs.js';

/** The file name that the guest's own frames have in stack traces. */
export const GUEST_FILE = 'sandbox';

/**
 * The code that an isolate runs before anything of the user's: an expression whose value is a function
 * `(host, words, methods) => { seed, define, start, settle, abandon }`.
 *
 * `host` has the functions the host answers (stop, pdk, done, service), `words` is an Int32Array over memory
 * that the host reads, `methods` the PDK's methods in JSON: path, and whether a
 * call of theirs ends the run when its arguments cannot be taken. Nothing of these stays reachable for user code.
 */
export const GUEST_SOURCE = `(function (host, words, methodsJson) {
  'use strict';
  const surface = JSON.parse(methodsJson);
  const methods = surface.map(([path]) => path);
  const strict = surface.map((method) => method[1]);
${GUARDS}${RUNS}${GLOBALS}${FREEZE}
  return { seed, define, start, settle, abandon };
})`;
