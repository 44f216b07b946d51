/**
 * Guest code, part 2: which request the code in progress belongs to, PDK calls, and running the functions.
 *
 * Many requests are in one isolate at once, interleaved at awaits, and `kong` is one global object. The number of the
 * run in progress stands in words[0], which the host reads and writes as well. The host clears it before each job;
 * the compiler puts `await` into suspend/resume, `.then` wraps its callbacks, and both put the number back: a
 * continuation belongs to the run that waited, whoever resolved what it waited for. A run that has ended is not
 * resumed.
 */
export const RUNS = String.raw`
  const { parse } = JSON;
  const NativePromise = Promise;
  const nativeThen = Promise.prototype.then;
  const resolved = (value) => apply(Promise.resolve, NativePromise, [value]);
  const runs = new Map();
  const calls = new Map();
  const hostErrors = new WeakMap();
  let lastCall = 0;
  let lastThrow;

  const forever = () => new NativePromise(() => {});
  const alive = (run) => run === 0 || runs.has(run);

  /** A thenable of the guest's own is called in a job, as await would, but on behalf of the run that waits. */
  const adopted = (value, run) => {
    if (value === null || (typeof value !== 'object' && typeof value !== 'function') || value instanceof NativePromise) {
      return resolved(value);
    }
    const { then } = value;
    if (typeof then !== 'function') return resolved(value);
    return new NativePromise((resolve, reject) => {
      apply(nativeThen, resolved(), [() => {
        if (!alive(run)) return;
        words[0] = run;
        try { apply(then, value, [resolve, reject]); } catch (error) { reject(error); }
      }]);
    });
  };
  /** The box goes through a promise that guest code never sees, so that it cannot be forged. */
  const suspend = (value) => {
    const run = words[0];
    return new NativePromise((resolve) => {
      apply(nativeThen, adopted(value, run), [
        (result) => { if (alive(run)) resolve({ run, value: result, failed: false }); },
        (reason) => { if (alive(run)) resolve({ run, value: reason, failed: true }); },
      ]);
    });
  };
  const resume = (box) => {
    words[0] = box.run;
    if (!box.failed) return box.value;
    const message = hostErrors.get(box.value);
    if (message === undefined) throw box.value;
    // An error made by the host has no line of the guest's; one made here has.
    throw hostError(message);
  };
  const token = () => words[0];
  const restore = (run) => {
    words[0] = run;
    if (!alive(run)) { host.stop(); halt(); }
  };
  /** Remembers where something without a stack was thrown. */
  const thrown = (line, column, value) => {
    if (!(value instanceof Error)) lastThrow = { value, line, column };
    return value;
  };

  replace(Promise.prototype, 'then', { then(onFulfilled, onRejected) {
    const run = words[0];
    const wrap = (callback) => typeof callback !== 'function' ? callback : (value) => {
      if (!alive(run)) return forever();
      words[0] = run;
      return callback(value);
    };
    return apply(nativeThen, this, [wrap(onFulfilled), wrap(onRejected)]);
  } }.then);

  const hostError = (message) => {
    const error = new Error(message);
    error.name = 'PdkError';
    hostErrors.set(error, message);
    return error;
  };

  const shown = (value) => {
    if (typeof value === 'string') return value;
    if (value instanceof Error) return value.name + ': ' + value.message + '\n' + value.stack;
    if (typeof value === 'function' || typeof value === 'symbol' || value === undefined) return String(value);
    try { return nativeStringify(value); } catch { return String(value); }
  };
  const cut = (value, length) => { const whole = String(value); return whole.length > length ? whole.slice(0, length) : whole; };

  const bytesOf = (value) => value instanceof ArrayBuffer
    ? value
    : value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength);
  const isBytes = (value) => isView(value) || value instanceof ArrayBuffer;

  /** Sends a PDK call; the arguments leave as JSON text, bytes beside it. */
  const send = (method, id, args) => {
    const buffers = [];
    const plain = [];
    let { length } = args;
    while (length > 0 && args[length - 1] === undefined) length--;
    for (let i = 0; i < length; i++) {
      if (isBytes(args[i])) { plain[i] = null; buffers[buffers.length] = i; buffers[buffers.length] = bytesOf(args[i]); }
      else plain[i] = args[i];
    }
    const json = nativeStringify(plain);
    const refused = host.pdk(method, id, json, ...buffers);
    if (typeof refused === 'string') throw new TypeError(refused);
    if (refused) halt();
  };
  /** A call that nobody may wait for and whose arguments cannot be taken: its run has failed, whatever is caught. */
  const undeliverable = (run, error) => {
    const report = nativeStringify([runs.get(run).index, ...describe(error)]);
    abandon(run);
    host.done(run, report);
    host.stop();
    halt();
  };
  const inRun = () => {
    const run = words[0];
    if (run === 0) throw new Error('it cannot be told which request this PDK call belongs to');
    if (!runs.has(run)) throw new Error('the request of this PDK call is over');
    return run;
  };
  /** Not in the promise's executor: that would turn the stop of a run into a mere rejection. */
  const callPdk = (method, args) => {
    let resolve, reject;
    const promise = new NativePromise((yes, no) => { resolve = yes; reject = no; });
    let run;
    try { run = inRun(); } catch (error) { reject(error); return promise; }
    const id = ++lastCall;
    calls.set(id, { run, resolve, reject });
    runs.get(run).calls.add(id);
    try { send(method, id, args); } catch (error) {
      if (strict[method] && runs.has(run)) undeliverable(run, error);
      calls.delete(id);
      runs.get(run)?.calls.delete(id);
      reject(error);
    }
    return promise;
  };

  /** Answers from the host: [id, ok, value] each, where ok 2 means bytes, from value to end. */
  const settle = (json, bytes) => {
    for (const [id, ok, value, end] of parse(json)) {
      const call = calls.get(id);
      if (call === undefined) continue;
      calls.delete(id);
      const state = runs.get(call.run);
      if (state === undefined) continue;
      state.calls.delete(id);
      words[0] = call.run;
      if (ok === 0) call.reject(hostError(value));
      else call.resolve(ok === 2 ? new Bytes(bytes.slice(value, end)) : value);
    }
  };

  /** Forgets a run: its calls are not answered, its continuations not resumed. */
  const abandon = (run) => {
    const state = runs.get(run);
    if (state === undefined) return;
    runs.delete(run);
    for (const id of state.calls) calls.delete(id);
    const { starting } = state;
    if (starting !== undefined) release(starting);
  };
  const release = (unit) => {
    const { waiting } = unit;
    unit.waiting = undefined;
    if (waiting !== undefined) waiting.resolve();
  };

  const describe = (error) => {
    try {
      if (error instanceof Error) return [cut(error.name, 200), cut(error.message, 2000), cut(error.stack, 8000)];
      const at = lastThrow !== undefined && Object.is(lastThrow.value, error) ? lastThrow : undefined;
      // What the engine throws when it has no memory for an error.
      if (error === null && at === undefined) return ['InternalError', 'out of memory', ''];
      return ['', cut(shown(error), 2000), '', at && at.line, at && at.column];
    } catch {
      return ['', 'something that cannot be shown was thrown', ''];
    }
  };

  const program = [];
  const define = (factory, phase, mayReturnFunction) => {
    const units = program[phase] ?? (program[phase] = []);
    const body = factory(suspend, resume, token, restore, thrown);
    units[units.length] = { body, mayReturnFunction, handler: undefined, waiting: undefined };
  };

  /** Runs one function, and the function that it returned, if it did. */
  const runUnit = async (unit, run, state) => {
    // Until it is known whether the string returns a function, one request at a time finds out: the outer part
    // must not run twice.
    while (unit.handler === undefined && unit.waiting !== undefined) {
      await unit.waiting.promise;
      if (!runs.has(run)) return forever();
      words[0] = run;
    }
    if (unit.handler === undefined) {
      if (unit.mayReturnFunction) {
        unit.waiting = {};
        unit.waiting.promise = new NativePromise((resolve) => { unit.waiting.resolve = resolve; });
        state.starting = unit;
      }
      let result;
      try {
        result = await unit.body();
      } finally {
        if (state.starting === unit) { state.starting = undefined; release(unit); }
      }
      if (typeof result !== 'function') { unit.mayReturnFunction = false; return; }
      unit.handler = result;
    }
    if (!runs.has(run)) return forever();
    words[0] = run;
    await unit.handler();
  };

  const start = async (run, phase) => {
    const state = { calls: new Set(), starting: undefined, index: 0 };
    runs.set(run, state);
    words[0] = run;
    const units = program[phase];
    for (let index = 0; index < units.length; index++) {
      state.index = index;
      try {
        await runUnit(units[index], run, state);
      } catch (error) {
        if (!runs.has(run)) return;
        words[0] = run;
        const report = nativeStringify([index, ...describe(error)]);
        abandon(run);
        host.done(run, report);
        return;
      }
      if (!runs.has(run)) return;
      words[0] = run;
    }
    abandon(run);
    host.done(run, '');
  };
`;
