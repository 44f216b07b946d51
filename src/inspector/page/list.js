import { ms, Plugins, Status } from './parts.js';
import { Component, html, useState } from './vendor.js';

const SHOWN = 200;

/** Drawn again only when it has changed: there may be a thousand. */
class Row extends Component {
  shouldComponentUpdate({ exchange, selected }) {
    return exchange !== this.props.exchange || selected !== this.props.selected;
  }

  render({ exchange, selected }) {
    const { id, method, target, status, state, ms: took, route, plugins, startedAt } = exchange;
    return html`<li><a href=${`#/requests/${id}`} aria-current=${selected ? 'true' : undefined}>
      <${Status} status=${status} state=${state} /> <b class="mono">${method}</b>
      <span class="path" title=${target}>${target}</span>
      <${Plugins} plugins=${plugins} />
      <span class="route dim">${route ?? 'no route'}</span>
      <span class="took dim num">${ms(took)}</span>
      <time class="dim num">${new Date(startedAt).toTimeString().slice(0, 8)}</time>
    </a></li>`;
  }
}

const OUTCOMES = ['passed', 'changed', 'exited', 'threw', 'deadline', 'retried', 'failed', 'skipped'];

function Choice({ label, value, options, onChange }) {
  return html`<select aria-label=${label} value=${value} onChange=${(event) => onChange(event.target.value)}>
    <option value="">${label}: all</option>
    ${options.map((option) => html`<option value=${option}>${option}</option>`)}
  </select>`;
}

export function List({ exchanges, selected, paused, onPause }) {
  const [filter, setFilter] = useState({ text: '', status: '', plugin: '', outcome: '' });
  const [shown, setShown] = useState(SHOWN);
  const set = (name) => (value) => setFilter({ ...filter, [name]: value });
  const names = [...new Set(exchanges.flatMap(({ plugins }) => plugins.map(({ name }) => name)))].sort();
  const text = filter.text.toLowerCase();
  const matching = exchanges.filter(({ method, target, route, status, plugins }) => {
    if (text && !`${method} ${target} ${route ?? ''} ${status ?? ''}`.toLowerCase().includes(text))
      return false;
    if (filter.status && String(status ?? '')[0] !== filter.status[0]) return false;
    if (!filter.plugin && !filter.outcome) return true;
    return plugins.some(
      ({ name, outcome }) =>
        (!filter.plugin || name === filter.plugin) && (!filter.outcome || outcome === filter.outcome),
    );
  });
  return html`<div class="filters" role="search">
      <input type="search" placeholder="Filter" aria-label="Filter by text" value=${filter.text} onInput=${(event) => set('text')(event.target.value)} />
      <${Choice} label="Status" value=${filter.status} options=${['2xx', '3xx', '4xx', '5xx']} onChange=${set('status')} />
      <${Choice} label="Plugin" value=${filter.plugin} options=${names} onChange=${set('plugin')} />
      <${Choice} label="Outcome" value=${filter.outcome} options=${OUTCOMES} onChange=${set('outcome')} />
      <button aria-pressed=${paused ? 'true' : 'false'} onClick=${onPause}>Pause</button>
      <span class="dim num" id="count">${matching.length} of ${exchanges.length}</span>
    </div>
    ${
      matching.length === 0
        ? html`<p class="empty">${exchanges.length === 0 ? 'Nothing yet. Requests to the local gateway appear here as they come.' : 'No request matches.'}</p>`
        : html`<ol class="list" aria-label="Requests, newest first">${matching.slice(0, shown).map((exchange) => html`<${Row} key=${exchange.id} exchange=${exchange} selected=${exchange.id === selected} />`)}</ol>`
    }
    ${matching.length > shown && html`<p><button onClick=${() => setShown(shown + SHOWN)}>Show more</button></p>`}`;
}
