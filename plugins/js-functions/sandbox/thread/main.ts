import { parentPort, workerData } from 'node:worker_threads';
import type { Limits } from '../limits.js';
import type { FromThread, ProgramUnit, RunEnd, ThreadData, ToThread } from '../messages.js';
import { Isolate } from './isolate.js';
import type { IsolateHost } from './isolate-host.js';
import { giveWay, MOST_NICER } from './priority.js';
import { makeTemplate } from './template.js';
import { ThreadState } from './thread-state.js';
import { warmUp } from './warm-up.js';

/** Results of runs do not wait for longer than this for what else came with them, milliseconds. */
const HOLD_MS = 1;

/** The functions of one plugin instance in this thread. */
interface Slot {
  readonly id: number;
  readonly program: readonly ProgramUnit[];
  readonly limits: Limits;
  isolate: Isolate | undefined;
  opening: boolean;
  /** Runs that wait for the isolate. */
  readonly waiting: { readonly run: number; readonly phase: number }[];
}

if (parentPort === null) throw new Error('this file runs in a worker thread');
const port = parentPort;
const { code, surface, template: given, state: memory, solitary } = workerData as ThreadData;

if (solitary) giveWay(MOST_NICER);

let out: FromThread[] = [];
const flush = () => {
  if (out.length === 0) return;
  port.postMessage(out);
  out = [];
};

const slots = new Map<number, Slot>();
const isolates = new Map<number, Isolate>();
const strictSurface = surface.map(({ path, kind }) => [path, kind !== 'value'] as const);
const template = given ?? (await makeTemplate(code, strictSurface));
const host: IsolateHost = {
  code,
  template,
  state: new ThreadState(memory),
  surface,
  call: (run, method, call, args) => {
    out.push(['call', run, method, call, args]);
  },
  ended: (run, end) => {
    isolates.delete(run);
    if (end.kind === 'limit' && end.limit === 'cpu') giveWay(1);
    out.push(['end', run, end]);
  },
};

/** Isolates that have got answers in the messages at hand. */
const answered = new Set<Isolate>();

function startRun(slot: Slot, run: number, phase: number): void {
  if (slot.isolate?.isOpen) {
    isolates.set(run, slot.isolate);
    slot.isolate.run(run, phase);
    return;
  }
  slot.waiting.push({ run, phase });
  if (slot.opening) return;
  slot.opening = true;
  const opened = (isolate: Isolate | undefined) => {
    slot.opening = false;
    slot.isolate = isolate;
    for (const waiting of slot.waiting.splice(0)) {
      if (isolate !== undefined) startRun(slot, waiting.run, waiting.phase);
      else out.push(['end', waiting.run, FAILED]);
    }
    flush();
  };
  Isolate.open(host, slot.id, slot.program, slot.limits).then(opened, () => opened(undefined));
}

/** What a run gets for which there was no isolate: too little memory for its program, most of all. */
const FAILED: RunEnd = { kind: 'limit', limit: 'memory' };

function take(message: ToThread): void {
  switch (message[0]) {
    case 'open': {
      const [, id, program, limits] = message;
      slots.set(id, { id, program, limits, isolate: undefined, opening: false, waiting: [] });
      return;
    }
    case 'run': {
      const slot = slots.get(message[1]);
      if (slot !== undefined) startRun(slot, message[2], message[3]);
      return;
    }
    case 'answer': {
      const [, run, call, ok, value] = message;
      const isolate = isolates.get(run);
      if (isolate === undefined) return;
      isolate.answer({ run, call, ok, value });
      answered.add(isolate);
      return;
    }
    case 'end': {
      const isolate = isolates.get(message[1]);
      isolates.delete(message[1]);
      if (isolate !== undefined) isolate.end(message[1]);
      else for (const { waiting } of slots.values()) dropFrom(waiting, message[1]);
      return;
    }
    case 'close': {
      const slot = slots.get(message[1]);
      slots.delete(message[1]);
      slot?.isolate?.retire();
      return;
    }
  }
}

function dropFrom(waiting: Slot['waiting'], run: number): void {
  const at = waiting.findIndex((entry) => entry.run === run);
  if (at >= 0) waiting.splice(at, 1);
}

function takeAll(messages: readonly ToThread[]): void {
  let since = performance.now();
  const between = () => {
    const now = performance.now();
    if (now - since < HOLD_MS) return;
    since = now;
    flush();
  };
  for (const message of messages) {
    take(message);
    between();
  }
  for (const isolate of answered) {
    answered.delete(isolate);
    isolate.settle();
    between();
  }
  flush();
}

await warmUp(host);
port.postMessage([['ready', template]] satisfies FromThread[]);
port.on('message', takeAll);
