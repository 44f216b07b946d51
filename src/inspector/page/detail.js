import { Messages } from './messages.js';
import { ask, ms, Plugins, Status } from './parts.js';
import { Timeline } from './timeline.js';
import { Copied, Resend } from './tools.js';
import { html, useEffect, useRef, useState } from './vendor.js';

const TOOLS = { curl: 'Copy as curl', test: 'Copy as test', again: 'Send again' };

const Verdict = ({ verdict: { plugin, outcome, phase, status, reason } }) =>
  html`<section class=${`verdict ${outcome}`} aria-label="Why"><p><b>${plugin}</b> ${outcome} in ${phase}${status ? ` with ${status}` : ''}${reason ? html`: <q>${reason}</q>` : ''}</p></section>`;

function nothingSent({ verdict, status }, upstream) {
  const why = verdict
    ? `${verdict.plugin} ${verdict.outcome} in ${verdict.phase}`
    : `the gateway answered with ${status ?? 'nothing'}`;
  return upstream ? `The upstream has not answered: ${why}.` : `Nothing was sent to the upstream: ${why}.`;
}

export function Detail({ id, version }) {
  const [detail, setDetail] = useState();
  const [failure, setFailure] = useState();
  const [tool, setTool] = useState('');
  const title = useRef();
  const isHere = detail?.id === id;
  useEffect(() => {
    let current = true;
    const take = (value, problem) => {
      if (!current) return;
      if (value) setDetail(value);
      setFailure(problem);
    };
    ask(`exchanges/${id}`).then(take, (error) => take(undefined, error.message));
    return () => {
      current = false;
    };
  }, [id, version]);
  useEffect(() => {
    setTool('');
    // Keyboards and screen readers go on where the request begins.
    if (isHere) title.current?.focus({ preventScroll: true });
  }, [id, isHere]);
  if (failure && !isHere) return html`<p class="empty" role="alert">${failure}</p>`;
  if (!isHere) return html`<p class="empty">Loading</p>`;
  const { request, upstreamRequest, upstreamResponse, response } = detail;
  const facts = [
    ms(detail.ms),
    detail.route ? `route ${detail.route}` : 'no route',
    ...(detail.service ? [`service ${detail.service}`] : []),
    `from ${detail.client.ip}:${detail.client.port}`,
    new Date(detail.startedAt).toLocaleTimeString(),
  ];
  return html`<article aria-label="Request">
    <div class="bar"><a class="back" href="#/">All requests</a>${Object.entries(TOOLS).map(
      ([name, label]) =>
        html`<button aria-pressed=${tool === name ? 'true' : 'false'} onClick=${() => setTool(tool === name ? '' : name)}>${label}</button>`,
    )}</div>
    <h2 class="title" tabindex="-1" ref=${title}><${Status} status=${detail.status} state=${detail.state} /> ${detail.method} ${detail.target}</h2>
    <p class="facts dim">${facts.join(' · ')}</p>
    <${Plugins} plugins=${detail.plugins} />
    ${detail.verdict && html`<${Verdict} verdict=${detail.verdict} />`}
    ${(tool === 'curl' || tool === 'test') && html`<${Copied} id=${id} as=${tool} />`}
    ${tool === 'again' && html`<${Resend} key=${id} detail=${detail} />`}
    <${Timeline} key=${id} id=${id} phases=${detail.phases} end=${detail.endsAt} verdict=${detail.verdict} />
    <${Messages} id=${id} title="Request" before=${request} after=${upstreamRequest} changes=${detail.requestChanges} names=${['What the client sent', 'What the upstream got']} nothing=${nothingSent(detail)} />
    <${Messages} id=${id} title="Response" before=${upstreamResponse} after=${response} changes=${detail.responseChanges} names=${['What the upstream answered', 'What the client got']} nothing=${upstreamResponse ? 'The client has got nothing.' : nothingSent(detail, upstreamRequest)} /></article>`;
}
