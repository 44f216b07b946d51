import { ask, Chip, ms } from './parts.js';
import { html, useEffect, useState } from './vendor.js';

const REFRESH_MS = 2000;

export function Plugins() {
  const [data, setData] = useState();
  useEffect(() => {
    const load = () => ask('plugins').then(setData, () => undefined);
    load();
    const timer = setInterval(load, REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  if (data === undefined) return html`<p class="empty">Loading</p>`;
  return html`<div class="pane">
    <p class="dim">In Kong's order.${data.memoryBytes ? ` The plugin server holds ${Math.round(data.memoryBytes / 2 ** 20)} MiB.` : ''} Counts and times are those of the requests that are kept.</p>
    ${data.plugins.map(
      (plugin) => html`<section aria-label=${plugin.name}><h2>${plugin.name}</h2>
      <p class="dim">Priority ${plugin.priority}; ${plugin.phases.join(', ')}. ${plugin.events} events, ${plugin.eventsPerSecond.toFixed(1)} per second; half within ${ms(plugin.p50)}, 99 % within ${ms(plugin.p99)}.</p>
      <div class="strip">${Object.entries(plugin.outcomes).map(([outcome, count]) => html`<${Chip} outcome=${outcome}>${outcome} ${count}<//>`)}</div>
      ${plugin.entities.map((entity) => html`<details><summary>On ${entity.on}${entity.enabled ? '' : ', disabled'}${entity.instances.length ? `, instance ${entity.instances.map((id) => `#${id}`).join(', ')}` : ''}</summary>${entity.config.map(({ name, text }) => html`<div class="call">${name}: ${text}</div>`)}</details>`)}
      <details><summary>Schema</summary><pre tabindex="0" aria-label="Schema">${plugin.schema}</pre></details></section>`,
    )}
  </div>`;
}
