import { Chip, count, ms, Text } from './parts.js';
import { html } from './vendor.js';

/** With more calls than this in a request, only those of the plugin that ended it are shown at once. */
const FEW_CALLS = 60;

const percent = (time, end) => `${Math.min(100, (100 * time) / (end || 1)).toFixed(2)}%`;

/** A bar on the time axis that all rows share. */
const Bar = ({ from, to, end, kind, label }) =>
  html`<div class=${`axis ${kind}`} role="img" aria-label=${label}><span style=${{ left: percent(from, end), width: percent(Math.max(0, (to ?? end) - from), end) }}></span></div>`;

/** Round moments of the axis: four to six of them. */
function ticks(end) {
  const raw = (end || 1) / 5;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * [1, 2, 5, 10].find((factor) => factor * unit >= raw);
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, index) => index * step).filter(
    (at) => at < end * 0.97,
  );
}

const Axis = ({ end }) =>
  html`<div class="row head" aria-hidden="true"><span></span><div class="axis">${ticks(end).map((at) => html`<i style=${{ left: percent(at, end) }}>${Number(at.toFixed(3))}</i>`)}</div><span class="dim">ms</span></div>`;

const LEVELS = { warn: 'warn', err: 'bad', crit: 'bad', alert: 'bad' };

function Call({ id, call, end }) {
  const { method, args, answer, error, startedAt, endedAt } = call;
  const level = /^kong\.log\.(\w+)$/.exec(method)?.[1];
  const took = endedAt === undefined ? undefined : endedAt - startedAt;
  const what = level
    ? html`<span class=${`level ${LEVELS[level] ?? ''}`}>${level}</span> <${Text} id=${id} value=${args} name="what was logged" />`
    : html`<b>${method}</b>(<${Text} id=${id} value=${args} name=${`the arguments of ${method}`} />)${answer && html` <span class="dim">→</span> <${Text} id=${id} value=${answer} name=${`the answer of ${method}`} />`}`;
  return html`<div class="row call"><div class="what">${what}${error && html` <span class="error"><${Text} id=${id} value=${error} name="the error" /></span>`}</div><${Bar} from=${startedAt} to=${endedAt ?? startedAt} end=${end} kind="one" label=${`at ${ms(startedAt)}`} /><span class="dim num">${took === undefined ? '' : ms(took)}</span></div>`;
}

/** Calls that left the plugin server in one write stand together. */
function grouped(calls) {
  const groups = [];
  for (const call of calls) {
    const last = groups.at(-1);
    if (last && call.write !== undefined && last[0].write === call.write) last.push(call);
    else groups.push([call]);
  }
  return groups;
}

function Run({ id, run, end, open }) {
  const { plugin, outcome, startedAt, endedAt, calls, config, instanceId, error } = run;
  const took = endedAt === undefined ? undefined : endedAt - startedAt;
  const writes = new Set(calls.map(({ write }) => write).filter((write) => write !== undefined)).size;
  const facts = [
    writes > 0 ? `${count(calls.length, 'call')} in ${count(writes, 'write')}` : count(calls.length, 'call'),
    ...(instanceId === undefined ? [] : [`instance #${instanceId}`]),
  ];
  return html`<details class="run" open=${open}>
    <summary class="row"><div class="what"><b>${plugin}</b> <${Chip} outcome=${outcome}>${outcome}<//> <span class="dim">${facts.join(', ')}</span></div><${Bar} from=${startedAt} to=${endedAt} end=${end} kind=${outcome} label=${`${plugin}: ${outcome}, from ${ms(startedAt)} on, for ${ms(took)}`} /><span class="num">${ms(took)}</span></summary>
    ${grouped(calls).map((group) =>
      group.length === 1
        ? html`<${Call} id=${id} call=${group[0]} end=${end} />`
        : html`<div class="write" role="group" aria-label=${`${group.length} calls in one write`}>${group.map((call) => html`<${Call} id=${id} call=${call} end=${end} />`)}</div>`,
    )}
    ${error && html`<div class="failure"><p class="error"><${Text} id=${id} value=${error.message} name="the error" /></p>${error.place && html`<p class="mono place">${error.place}</p>`}${error.stack && html`<details><summary>Stack</summary><${Text} id=${id} value=${error.stack} name="Stack" block /></details>`}</div>`}
    ${config.length > 0 && html`<details class="config"><summary>Configuration, ${count(config.length, 'field')}</summary><dl>${config.map((field) => html`<dt>${field.name}</dt><dd><${Text} id=${id} value=${field} name=${field.name} /></dd>`)}</dl></details>`}
  </details>`;
}

const Line = ({ id, line, end }) =>
  html`<div class="row call"><div class="what"><span class=${`level ${LEVELS[line.level] ?? (line.level === 'error' ? 'bad' : '')}`}>${line.level}</span> <${Text} id=${id} value=${line.text} name="what was logged" /></div><${Bar} from=${line.at} to=${line.at} end=${end} kind="one" label=${`at ${ms(line.at)}`} /><span class="dim num"></span></div>`;

/** All that happened, on one axis: phases, in each the plugins in Kong's order, in each its calls. */
export function Timeline({ id, phases, end, verdict }) {
  const calls = phases.flatMap(({ runs }) => runs).reduce((sum, run) => sum + run.calls.length, 0);
  return html`<section class="timeline" aria-label="Timeline"><h3>Timeline</h3><${Axis} end=${end} />
    ${phases.map(({ name, startedAt, endedAt, runs, log }) => {
      const took = endedAt === undefined ? undefined : endedAt - startedAt;
      return html`<div class="phase" role="group" aria-label=${name}><div class="row"><div class="what name">${name}</div><${Bar} from=${startedAt} to=${endedAt} end=${end} kind="whole" label=${`${name}: from ${ms(startedAt)} on, for ${ms(took)}`} /><span class="dim num">${ms(took)}</span></div>
        ${runs.map((run) => html`<${Run} key=${run.startedAt} id=${id} run=${run} end=${end} open=${calls <= FEW_CALLS || (run.plugin === verdict?.plugin && name === verdict.phase)} />`)}
        ${log.map((line) => html`<${Line} id=${id} line=${line} end=${end} />`)}</div>`;
    })}</section>`;
}
