import { ask } from './parts.js';
import { html, useEffect, useState } from './vendor.js';

export function Resend({ detail }) {
  const { id, request } = detail;
  const [method, ...rest] = request.start.text.split(' ');
  const target = rest.join(' ');
  const lines = request.headers.map(({ name, text }) => `${name}: ${text}`);
  // A body that the page does not know in full goes as it was.
  const body =
    request.body.more || !request.body.complete || request.body.kind === 'hex'
      ? undefined
      : request.body.text;
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
    <div class="line"><label>Method <input name="method" size="8" value=${form.method} onInput=${set('method')} /></label>
    <label class="wide">Path <input name="target" value=${form.target} onInput=${set('target')} /></label></div>
    <label>Headers, one a line; masked ones go as they were <textarea name="headers" rows=${Math.min(14, lines.length + 1)} value=${form.headers} onInput=${set('headers')}></textarea></label>
    ${body === undefined ? html`<p class="dim">The body goes as it was.</p>` : html`<label>Body <textarea name="body" rows="4" value=${form.body} onInput=${set('body')}></textarea></label>`}
    <p class="error" role="alert">${failure}</p><div><button type="submit">Send</button></div></form></section>`;
}

export function Copied({ id, as }) {
  const [text, setText] = useState('');
  const [secrets, setSecrets] = useState(false);
  const [done, setDone] = useState('');
  useEffect(() => {
    setDone('');
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
