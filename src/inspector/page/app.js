import { Detail } from './detail.js';
import { List } from './list.js';
import { PluginList } from './plugins.js';
import { html, render, useEffect, useRef, useState } from './vendor.js';

const KEPT = 1000;

/** Newest first. Those that are known stay in their place. */
function merged(known, changed) {
  const news = new Map(changed.map((exchange) => [exchange.id, exchange]));
  const list = known.map((exchange) => {
    const now = news.get(exchange.id);
    news.delete(exchange.id);
    return now ?? exchange;
  });
  return [...[...news.values()].reverse(), ...list].slice(0, KEPT);
}

function useExchanges() {
  const [shown, setShown] = useState([]);
  const [paused, setPaused] = useState(false);
  const [live, setLive] = useState(false);
  const newest = useRef([]);
  const held = useRef(false);
  useEffect(() => {
    const source = new EventSource('/api/live');
    const take = (list) => {
      newest.current = list;
      if (!held.current) setShown(list);
    };
    source.addEventListener('all', ({ data }) => take(merged([], JSON.parse(data))));
    source.addEventListener('changed', ({ data }) => take(merged(newest.current, JSON.parse(data))));
    source.onopen = () => setLive(true);
    source.onerror = () => setLive(false);
    return () => source.close();
  }, []);
  const pause = () => {
    held.current = !held.current;
    setPaused(held.current);
    if (!held.current) setShown(newest.current);
  };
  return { shown, paused, pause, live };
}

function useHash() {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = () => setHash(location.hash);
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return hash;
}

function useKeys({ shown, id, pause }) {
  useEffect(() => {
    const keys = (event) => {
      const { key, target, ctrlKey, metaKey, altKey } = event;
      if (ctrlKey || metaKey || altKey) return;
      if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) {
        if (key === 'Escape') target.blur();
        return;
      }
      const at = shown.findIndex((exchange) => exchange.id === id);
      const next = key === 'j' ? shown[at + 1] : key === 'k' ? shown[at - 1] : undefined;
      if (next) location.hash = `#/requests/${next.id}`;
      else if (key === 'p') pause();
      else if (key === '/') {
        event.preventDefault();
        document.querySelector('input[type=search]')?.focus();
      } else if (key === 'Escape' && id) {
        location.hash = '#/';
        // Where one came from.
        setTimeout(() => document.querySelector(`.list a[href="#/requests/${id}"]`)?.focus());
      }
    };
    addEventListener('keydown', keys);
    return () => removeEventListener('keydown', keys);
  }, [shown, id, pause]);
}

function App() {
  const { shown, paused, pause, live } = useExchanges();
  const hash = useHash();
  const id = /^#\/requests\/(.+)/.exec(hash)?.[1];
  const onPlugins = hash === '#/plugins';
  useKeys({ shown, id, pause });
  const selected = shown.find((exchange) => exchange.id === id);
  const state = paused ? 'paused' : live ? 'live' : 'not connected';
  return html`<header><h1>Inspector</h1><nav aria-label="Views"><a href="#/" aria-current=${onPlugins ? undefined : 'page'}>Requests</a><a href="#/plugins" aria-current=${onPlugins ? 'page' : undefined}>Plugins</a></nav>
      <span class="keys dim"><kbd>j</kbd> <kbd>k</kbd> next, previous <kbd>/</kbd> filter <kbd>p</kbd> pause <kbd>Esc</kbd> close</span>
      <span class=${`state ${state.replace(' ', '-')}`} role="status">${state}</span></header>
    <main class=${`split ${id ? 'open' : ''}`}>${
      onPlugins
        ? html`<${PluginList} />`
        : html`<div class="pane"><${List} exchanges=${shown} selected=${id} paused=${paused} onPause=${pause} /></div>
          ${id && html`<div class="pane"><${Detail} id=${id} version=${selected} /></div>`}`
    }</main>`;
}

render(html`<${App} />`, document.getElementById('app'));
