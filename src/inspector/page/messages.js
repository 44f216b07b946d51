import { Text } from './parts.js';
import { html } from './vendor.js';

const MARKS = { added: '+', removed: '−', changed: '~', same: '' };
const WORDS = { added: 'added', removed: 'removed', changed: 'changed' };

const Value = ({ id, header }) =>
  header === undefined ? '' : html`<${Text} id=${id} value=${header} name=${header.name} />`;

const By = ({ change }) =>
  change.by === undefined
    ? ''
    : html`<span class=${change.by === 'gateway' ? 'dim' : 'by'}>${change.by}</span>`;

function Row({ id, change, before, after }) {
  const { name, kind } = change;
  const [from, to] = [before?.headers[change.before], after?.headers[change.after]];
  const cells =
    before === undefined || after === undefined
      ? html`<td><${Value} id=${id} header=${from ?? to} /></td>`
      : kind === 'same'
        ? html`<td colspan="2"><${Value} id=${id} header=${to} /></td>`
        : html`<td class="from">${from ? html`<${Value} id=${id} header=${from} />` : html`<span class="dim">none</span>`}</td><td class="to">${to ? html`<${Value} id=${id} header=${to} />` : html`<span class="dim">none</span>`}</td>`;
  return html`<tr class=${`${kind} ${change.by === 'gateway' ? 'ours' : ''}`} data-header=${name.toLowerCase()}><th scope="row"><span class="mark" aria-hidden="true">${MARKS[kind]}</span>${name}</th>${cells}<td><span class="hidden">${WORDS[kind] ?? ''} ${change.by ? 'by' : ''} </span><${By} change=${change} /></td></tr>`;
}

function Body({ id, title, body }) {
  if (body.bytes === 0) return '';
  return html`<div class="body"><h4>${title}, ${body.bytes} bytes${body.complete ? '' : ', not all of it kept'}</h4>${body.text && html`<${Text} id=${id} value=${body} name=${title} block />`}</div>`;
}

/** Two messages beside each other: what came in and what went out of it, and who changed it. */
export function Messages({ id, title, before, after, changes, names, nothing }) {
  const one = before ?? after;
  const both = before !== undefined && after !== undefined;
  if (one === undefined)
    return html`<section aria-label=${title}><h3>${title}</h3><p class="dim">${nothing}</p></section>`;
  const rows =
    both || before === undefined
      ? changes
      : one.headers.map(({ name }, index) => ({ name, kind: 'same', before: index }));
  const shown =
    before === undefined
      ? rows.map((row) => ({ ...row, kind: 'same', by: row.by === 'gateway' ? undefined : row.by }))
      : rows;
  const isSame = both && before.body.text === after.body.text && before.body.bytes === after.body.bytes;
  const [from, to] = names;
  return html`<section class="messages" aria-label=${title}><h3>${title}</h3>
    ${!both && html`<p class="dim">${nothing}</p>`}
    <table><thead><tr><th scope="col">Header</th>${before && html`<th scope="col">${from}</th>`}${after && html`<th scope="col">${to}</th>`}<th scope="col">${both || after ? 'Changed by' : html`<span class="hidden">Changed by</span>`}</th></tr></thead><tbody>
    <tr class=${both && before.start.text !== after.start.text ? 'changed start' : 'start'}><th scope="row"><span class="mark" aria-hidden="true"></span>${'first line'}</th>${before && html`<td class="from"><${Text} id=${id} value=${before.start} name="the first line" /></td>`}${after && html`<td class="to"><${Text} id=${id} value=${after.start} name="the first line" />${after.url && html` <span class="dim">to ${after.url}${after.attempt > 1 ? `, attempt ${after.attempt}` : ''}</span>`}</td>`}<td></td></tr>
    ${shown.map((change) => html`<${Row} id=${id} change=${change} before=${before} after=${after} />`)}</tbody></table>
    <div class="bodies">${
      isSame
        ? html`<${Body} id=${id} title="Body, passed on as it was" body=${before.body} />`
        : html`${before && html`<${Body} id=${id} title=${`Body: ${from}`} body=${before.body} />`}${after && html`<${Body} id=${id} title=${`Body: ${to}`} body=${after.body} />`}`
    }</div></section>`;
}
