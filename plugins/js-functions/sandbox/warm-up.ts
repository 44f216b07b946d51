import type { ProgramUnit } from './guest.js';
import type { Limits } from './limits.js';
import type { PdkTarget } from './pdk-target.js';

/** What functions usually do, in the form in which the compiler hands a program over. */
const CODE = `((suspend, resume) => { 'use strict'; return async function () {
  for (let i = 0; i < 20; i++) {
    const [a, b] = resume(await suspend(Promise.all([kong.request.getHeader('a'), kong.request.getRawBody()])));
    const text = JSON.stringify({ a, b: b.toString(), list: [i].map(String) });
    kong.service.request.setHeader('b', JSON.parse(text).a + /a(.)/.exec(text)?.index);
    kong.log.debug(crypto.sha256(a), new TextEncoder().encode(a));
  }
  try { null.x; } catch (error) { String(error.stack); }
  return async () => { resume(await suspend(kong.request.getQuery())); };
}})`;

/** A program that takes the ways that most functions take. */
export const WARM_UP_PROGRAM: readonly ProgramUnit[] = [
  { name: 'warm-up', phase: 0, code: CODE, mayReturnFunction: true },
];

/** Not the configuration's: nothing depends on how long it takes. */
export const WARM_UP_LIMITS: Limits = {
  cpuMs: 10_000,
  memoryBytes: 16 * 1024 * 1024,
  stackBytes: 128 * 1024,
  wallMs: 10_000,
  pdkCalls: 1000,
  outputBytes: 1024 * 1024,
};

const answering = (value: unknown) => () => Promise.resolve(value);

/** Answers the program's PDK calls. */
export const WARM_UP_KONG: PdkTarget = {
  request: {
    getHeader: answering('value'),
    getRawBody: answering(Buffer.from('body')),
    getQuery: answering({ a: 'b' }),
  },
  service: { request: { setHeader: answering(null) } },
  log: { debug: answering(null) },
};
