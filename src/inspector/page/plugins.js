import { ask, Chip, count, ms } from './parts.js';
import { html, useEffect, useState } from './vendor.js';

const REFRESH_MS = 2000;
const CHIPS = { done: 'passed', exit: 'exited', error: 'threw', deadline: 'deadline', lost: 'failed' };

const Figures = ({ figures: { events, eventsPerSecond, p50, p99 } }) =>
  html`<dl class="figures">${[
    ['events', events],
    ['a second', eventsPerSecond.toFixed(1)],
    ['half within', events ? ms(p50) : '–'],
    ['99 % within', events ? ms(p99) : '–'],
  ].map(([name, value]) => html`<div><dt>${name}</dt><dd class="num">${value}</dd></div>`)}</dl>`;

const Entity = ({ entity: { on, enabled, instances, config } }) =>
  html`<details><summary>On ${on}${enabled ? '' : ', disabled'}${instances.length ? `, instance ${instances.map((id) => `#${id}`).join(', ')}` : ''}</summary><dl>${config.map(({ name, text }) => html`<dt>${name}</dt><dd>${text}</dd>`)}</dl></details>`;

const Plugin = ({ plugin: { name, priority, phases, figures, entities, schema } }) =>
  html`<section aria-label=${name}><h2>${name}</h2>
    <p class="dim">priority ${priority} · ${phases.join(', ')}${entities.length ? '' : ' · not configured'}</p>
    ${figures && html`<${Figures} figures=${figures} /><div class="strip">${Object.entries(figures.outcomes).map(([outcome, number]) => html`<${Chip} outcome=${CHIPS[outcome] ?? ''}>${outcome} ${number}<//>`)}</div>`}
    ${entities.map((entity) => html`<${Entity} key=${entity.id} entity=${entity} />`)}
    <details><summary>Schema</summary><pre tabindex="0" aria-label=${`Schema of ${name}`}>${schema}</pre></details></section>`;

export function PluginList() {
  const [data, setData] = useState();
  useEffect(() => {
    const load = () => ask('plugins').then(setData, () => undefined);
    load();
    const timer = setInterval(load, REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  if (data === undefined) return html`<p class="empty">Loading</p>`;
  const server =
    data.memoryBytes === undefined
      ? 'The plugin server cannot be asked now.'
      : `The plugin server holds ${Math.round(data.memoryBytes / 2 ** 20)} MiB and ${count(data.instances, 'instance')}.`;
  return html`<div class="pane"><p class="dim">${server} Plugins are in Kong's order; figures come from its metrics, since it was started.</p>
    <div class="plugins">${data.plugins.map((plugin) => html`<${Plugin} key=${plugin.name} plugin=${plugin} />`)}</div></div>`;
}
