import type { Limits } from '../limits.js';
import type { ProgramUnit, RunEnd } from '../messages.js';
import { Isolate } from './isolate.js';
import type { IsolateHost } from './isolate-host.js';

/** What functions usually do, in the form in which the compiler hands a program over. */
const CODE = `((suspend, resume) => { 'use strict'; return async function () {
  for (let i = 0; i < 10; i++) {
    const [a, b] = resume(await suspend(Promise.all([kong.request.getHeader('a'), kong.request.getRawBody()])));
    const text = JSON.stringify({ a, b: b.toString(), list: [i].map(String) });
    kong.service.request.setHeader('b', JSON.parse(text).a + /a(.)/.exec(text)?.index);
    kong.log.debug(crypto.sha256(a), new TextEncoder().encode(a));
  }
  try { null.x; } catch (error) { String(error.stack); }
  return async () => { resume(await suspend(kong.request.getQuery())); };
}})`;

const PROGRAM: readonly ProgramUnit[] = [{ name: 'warm-up', phase: 0, code: CODE, mayReturnFunction: true }];

/** Not the configuration's: nothing depends on how long it takes. */
const LIMITS: Limits = {
  cpuMs: 10_000,
  memoryBytes: 16 * 1024 * 1024,
  stackBytes: 128 * 1024,
  wallMs: 10_000,
  pdkCalls: 1000,
  outputBytes: 1024 * 1024,
};

/**
 * Runs a program of our own once. The engine's code is compiled when it is first used, which takes longer than a run
 * may: without this, the first request of a process would pay for it and be stopped.
 */
export async function warmUp(host: IsolateHost): Promise<void> {
  let ended: RunEnd | undefined;
  const calls: [number, string][] = [];
  const isolate = await Isolate.open(
    {
      ...host,
      call: (_run, method, call) => {
        calls.push([call, host.surface[method]?.path.at(-1) ?? '']);
      },
      ended: (_run, end) => {
        ended = end;
      },
    },
    0,
    PROGRAM,
    LIMITS,
  );
  isolate.run(1, 0);
  while (ended === undefined && calls.length > 0) {
    for (const [call, name] of calls.splice(0)) {
      const value = name === 'getRawBody' ? Buffer.from('body') : '"value"';
      isolate.answer({ run: 1, call, ok: true, value });
    }
    isolate.settle();
  }
  isolate.retire();
  if (ended?.kind !== 'done') throw new Error(`the engine does not work here: ${JSON.stringify(ended)}`);
}
