import { ask, Chip, ms, outcomes, Secret, Status } from './parts.js';
import { html, useEffect, useState } from './vendor.js';

/** A bar on the time axis that all rows share. */
const Track = ({ from, to, end, kind, label, writes = [] }) => {
  const at = (time) => `${((100 * time) / (end || 1)).toFixed(2)}%`;
  return html`<div class=${`track ${kind}`} role="img" aria-label=${label}><span style=${{ left: at(from), width: at(Math.max(0, (to ?? end) - from)) }}></span>${writes.map((time) => html`<i style=${{ left: at(time) }}></i>`)}</div>`;
};

const Call = ({ id, call, before }) => {
  const joined = call.write !== undefined && call.write === before?.write;
  const answer = call.error ?? call.answer;
  const text = `${call.args}${answer === undefined ? '' : ` → ${answer}`}`;
  return html`<div class=${`call ${joined ? 'joined' : ''}`}>${joined ? html`<span class="dim" title="left in the same write">+ </span>` : ''}<b>${call.method}</b> <${Secret} id=${id} value=${{ text, secret: call.secret, name: `the values of ${call.method}` }} /> <span class="dim">${call.endedAt === undefined ? '' : ms(call.endedAt - call.startedAt)}</span></div>`;
};

function Run({ id, run, end }) {
  const took = (run.endedAt ?? run.startedAt) - run.startedAt;
  const trips = new Set(run.calls.map(({ write }) => write)).size;
  const { error } = run;
  return html`<dt class="sub">${run.plugin}</dt><dd><${Track} from=${run.startedAt} to=${run.endedAt} end=${end} kind=${run.outcome} label=${`${run.plugin}: ${run.outcome}, ${ms(took)}`} writes=${run.calls.map(({ startedAt }) => startedAt)} />
    <details><summary><${Chip} outcome=${run.outcome}>${run.outcome}<//> <span class="dim">${ms(took)}, ${run.calls.length} calls in ${trips} round trips${run.instanceId === undefined ? '' : `, instance #${run.instanceId}`}</span></summary>
    ${run.calls.map((call, index) => html`<${Call} id=${id} call=${call} before=${run.calls[index - 1]} />`)}
    ${error && html`<p class="error mono">${error.message}${error.file && html`<br />${error.file}:${error.line}`}</p>${error.stack && html`<pre tabindex="0" aria-label="Stack">${error.stack}</pre>`}`}
    <h4>Configuration</h4>${run.config.length === 0 ? html`<p class="dim">none</p>` : run.config.map((field) => html`<div class="call">${field.name}: <${Secret} id=${id} value=${field} /></div>`)}</details></dd>`;
}

const MARKS = { added: '+', removed: '−', changed: '~', same: '' };

function Message({ id, title, message, before, changes, side }) {
  if (message === undefined) {
    return html`<section><h3>${title}</h3><p class="dim">Nothing was sent.</p></section>`;
  }
  const rows = changes ?? message.headers.map(({ name }, after) => ({ name, kind: 'same', after }));
  return html`<section aria-label=${title}><h3>${title}</h3><div class="mono"><${Secret} id=${id} value=${message.start} /></div>
    <table><thead><tr><th class="mark"><span class="dim" title="what changed">±</span></th><th>Header</th><th>Value</th><th>${side ? 'By' : ''}</th></tr></thead><tbody>
    ${rows.map(({ name, kind, before: from, after, by }) => {
      const value = after === undefined ? before.headers[from] : message.headers[after];
      return html`<tr class=${kind} data-header=${name.toLowerCase()}><td class="mark">${MARKS[kind]}</td><td>${name}</td><td><${Secret} id=${id} value=${value} /></td><td>${by ? html`<b>${by}</b>` : ''}</td></tr>`;
    })}</tbody></table>
    ${message.body.bytes > 0 && html`<p class="dim">Body: ${message.body.bytes} bytes${message.body.complete ? '' : ', not all of it kept'}</p>${message.body.text && html`<${Secret} id=${id} value=${message.body} block />`}`}
  </section>`;
}

function Resend({ detail }) {
  const { id, request } = detail;
  const [method, ...rest] = request.start.text.split(' ');
  const target = rest.join(' ');
  const isText =
    request.body.kind === 'text' || request.body.kind === 'json' || request.body.kind === 'empty';
  const lines = request.headers.map(({ name, text }) => `${name}: ${text}`);
  const body = request.body.secret || !isText ? undefined : request.body.text;
  const [form, setForm] = useState({ method, target, headers: lines.join('\n'), body });
  const [failure, setFailure] = useState('');
  const set = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  const send = async (event) => {
    event.preventDefault();
    const used = new Set();
    const headers = form.headers
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [name, ...value] = line.split(':');
        // A line that was left as it is goes by its number: its value may be one that is not shown.
        const index = lines.findIndex((known, at) => known === line && !used.has(at));
        used.add(index);
        return [name.trim(), index >= 0 ? index : value.join(':').trim()];
      });
    try {
      const sent = await ask(`exchanges/${id}/resend`, {
        method: form.method,
        target: form.target,
        headers,
        body: form.body === body ? undefined : form.body,
        sameTarget: form.target === target,
      });
      if (sent.id) location.hash = `#/requests/${sent.id}`;
    } catch (error) {
      setFailure(error.message);
    }
  };
  return html`<section aria-label="Send again"><h3>Send again, edited</h3><form class="form" onSubmit=${send}>
    <label>Method <input name="method" value=${form.method} onInput=${set('method')} /></label>
    <label>Path <input name="target" value=${form.target} onInput=${set('target')} /></label>
    <label>Headers, one a line; masked ones go as they were <textarea name="headers" rows="6" value=${form.headers} onInput=${set('headers')}></textarea></label>
    ${body === undefined ? html`<p class="dim">The body goes as it was.</p>` : html`<label>Body <textarea name="body" rows="3" value=${form.body} onInput=${set('body')}></textarea></label>`}
    <p class="error" role="alert">${failure}</p><div><button type="submit">Send</button></div></form></section>`;
}

function Copied({ id, as }) {
  const [text, setText] = useState('');
  const [secrets, setSecrets] = useState(false);
  const [done, setDone] = useState('');
  useEffect(() => {
    ask(`exchanges/${id}/copy?as=${as}&secrets=${secrets ? 1 : 0}`).then(
      (copy) => setText(copy.text),
      (error) => setText(error.message),
    );
  }, [id, as, secrets]);
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setDone('copied'),
      () => setDone('select the text and copy it'),
    );
  return html`<section aria-label=${`As ${as}`}><h3>As ${as}</h3><div class="bar"><button onClick=${copy}>Copy</button><label><input type="checkbox" checked=${secrets} onChange=${(event) => setSecrets(event.target.checked)} /> with credentials</label><span role="status" class="dim">${done}</span></div><pre tabindex="0" id="copy" aria-label="Source">${text}</pre></section>`;
}

export function Detail({ id, version }) {
  const [detail, setDetail] = useState();
  const [failure, setFailure] = useState();
  const [tool, setTool] = useState('');
  useEffect(() => {
    setTool('');
  }, [id]);
  useEffect(() => {
    let current = true;
    ask(`exchanges/${id}`).then(
      (value) => current && (setDetail(value), setFailure()),
      (error) => current && setFailure(error.message),
    );
    return () => {
      current = false;
    };
  }, [id, version]);
  if (failure && detail?.id !== id) return html`<p class="empty" role="alert">${failure}</p>`;
  if (detail?.id !== id) return html`<p class="empty">Loading</p>`;
  const { verdict, endsAt, phases, runs, log } = detail;
  const toggle = (name) => () => setTool(tool === name ? '' : name);
  const Tool = ({ name, children }) =>
    html`<button aria-pressed=${tool === name ? 'true' : 'false'} onClick=${toggle(name)}>${children}</button>`;
  return html`<article aria-label="Request">
    <div class="bar"><a href="#/">All requests</a><${Tool} name="curl">Copy as curl<//><${Tool} name="test">Copy as test<//><${Tool} name="again">Send again<//></div>
    <h2 class="title"><${Status} status=${detail.status} state=${detail.state} /> ${detail.method} ${detail.target}</h2>
    <p class="dim">${ms(detail.ms)}, ${detail.route ? `route ${detail.route}` : 'no route'}${detail.service ? `, service ${detail.service}` : ''}, from ${detail.client.ip}:${detail.client.port}, ${new Date(detail.startedAt).toLocaleTimeString()}</p>
    <div class="strip">${outcomes(runs).map(([plugin, outcome]) => html`<${Chip} outcome=${outcome}>${plugin} ${outcome}<//>`)}</div>
    ${verdict && html`<section class=${`verdict ${verdict.outcome}`} aria-label="Why"><p><b>${verdict.plugin}</b> ${verdict.outcome} in ${verdict.phase}${verdict.status ? ` with ${verdict.status}` : ''}${verdict.reason ? `: ${verdict.reason}` : ''}</p></section>`}
    ${(tool === 'curl' || tool === 'test') && html`<${Copied} id=${id} as=${tool} />`}
    ${tool === 'again' && html`<${Resend} key=${id} detail=${detail} />`}
    <section aria-label="Timeline"><h3>Timeline</h3><dl class="fall">${phases.map(
      (
        phase,
      ) => html`<dt><b>${phase.name}</b> <span class="dim num">${phase.endedAt === undefined ? '' : ms(phase.endedAt - phase.startedAt)}</span></dt><dd><${Track} from=${phase.startedAt} to=${phase.endedAt} end=${endsAt} kind="running" label=${phase.name} /></dd>
      ${runs.filter((run) => run.phase === phase.name).map((run) => html`<${Run} id=${id} run=${run} end=${endsAt} />`)}`,
    )}</dl></section>
    ${log.length > 0 && html`<section aria-label="Log"><h3>Log</h3>${log.map((line) => html`<div class="call"><span class="dim num">${ms(line.at)}</span> <span class=${line.level === 'error' ? 'error' : ''}>[${line.level}]</span> ${line.plugin ?? 'gateway'} ${line.phase ?? ''}: ${line.text}</div>`)}</section>`}
    <div class="cols">
      <${Message} id=${id} title="What the client sent" message=${detail.request} />
      <${Message} id=${id} title="What the upstream got" message=${detail.upstreamRequest} before=${detail.request} changes=${detail.upstreamRequest && detail.requestChanges} side />
      <${Message} id=${id} title="What the upstream answered" message=${detail.upstreamResponse} />
      <${Message} id=${id} title="What the client got" message=${detail.response} before=${detail.upstreamResponse} changes=${detail.response && detail.responseChanges} side />
    </div></article>`;
}
