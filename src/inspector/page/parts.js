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

export const count = (number, one, more = `${one}s`) => `${number} ${number === 1 ? one : more}`;

export const Chip = ({ outcome, children }) => html`<span class=${`chip ${outcome}`}>${children}</span>`;

export const Plugins = ({ plugins }) =>
  html`<span class="strip">${plugins.map(({ name, outcome }) => html`<${Chip} outcome=${outcome}>${name}<span class="word"> ${outcome}</span><//>`)}</span>`;

export const Status = ({ status, state }) =>
  html`<span class=${`status num s${String(status ?? '')[0] ?? ''}`}>${status ?? (state === 'running' ? '…' : 'cut')}</span>`;

/** A text; where it is masked or cut, with a button that asks for it. What was asked for is gone with the page. */
export function Text({ id, value, name, block }) {
  const [shown, show] = useState();
  const text = shown ?? value.text;
  const reveal = () =>
    ask(`exchanges/${id}/reveal?path=${encodeURIComponent(value.more)}`).then(
      (answer) => show(answer.text),
      (error) => show(error.message),
    );
  const button =
    value.more &&
    shown === undefined &&
    html` <button class="more" aria-label=${`Show ${name}`} onClick=${reveal}>${value.cut ? 'all of it' : 'show'}</button>`;
  return block
    ? html`${button}<pre tabindex="0" aria-label=${name}>${text}</pre>`
    : html`<span class="value">${text}</span>${button}`;
}
