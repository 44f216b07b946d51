import { html, useState } from './vendor.js';

const OWN = { 'x-kong-ts-inspector': '1' };

/** Asks the gateway's process. Throws with what it says. */
export async function ask(path, body) {
  const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  const response = await fetch(`/api/${path}`, { ...init, headers: OWN });
  const value = await response.json();
  if (!response.ok) throw new Error(value.message ?? response.statusText);
  return value;
}

export const ms = (value) =>
  value === undefined ? '…' : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;

/** Each plugin with what is most telling of its events. */
const WEIGHT = [
  'passed',
  'running',
  'changed',
  'retried',
  'exited',
  'skipped',
  'deadline',
  'threw',
  'failed',
];
export function outcomes(runs) {
  const worst = new Map();
  for (const { plugin, outcome } of runs) {
    const known = worst.get(plugin);
    if (known === undefined || WEIGHT.indexOf(outcome) > WEIGHT.indexOf(known)) worst.set(plugin, outcome);
  }
  return [...worst];
}

export const Chip = ({ outcome, children }) => html`<span class=${`chip ${outcome}`}>${children}</span>`;

export const Status = ({ status, state }) =>
  html`<span class=${`num s${String(status ?? '')[0] ?? ''}`}>${status ?? (state === 'running' ? '…' : 'cut')}</span>`;

/** A text; where it is masked, with a button that asks for it. What was asked for is gone with the page. */
export function Secret({ id, value, block }) {
  const [shown, show] = useState();
  const text = shown ?? value.text;
  const button =
    value.secret &&
    shown === undefined &&
    html` <button class="secret" aria-label=${`Show ${value.name ?? 'the masked value'}`} onClick=${async () => show((await ask(`exchanges/${id}/reveal?path=${encodeURIComponent(value.secret)}`)).text)}>show</button>`;
  return block
    ? html`<pre tabindex="0" aria-label="Body">${text}</pre>${button}`
    : html`<span class="value">${text}</span>${button}`;
}
