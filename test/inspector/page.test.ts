import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { residentBytes } from '../../bench/processor.js';
import { eventually, signed } from '../plugins/customer-verification/rig.js';
import { CliProcess } from '../support/cli.js';
import { full } from '../support/full.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CHROMIUM = '/usr/bin/chromium';
const FLAGS =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'.split(
    ' ',
  );
const CUSTOMER = '3f0d9a52-6c1e-4b7a-9d2f-8e51c0a7b346';
/** Rewrites the pictures in docs/images. */
const PICTURES = process.env.KONG_TS_PICTURES;

const CONFIG = `_format_version: "3.0"
services:
  - name: echo
    url: http://upstream:8080
    routes:
      - name: orders
        paths: [/orders]
        strip_path: false
        plugins:
          - name: customer-verification
      - name: all
        paths: [/]
        plugins:
          - name: hello
          - name: js-pre-function
            config:
              access:
                - |
                  const path = await kong.request.getPath();
                  if (path === '/no') return kong.response.exit(403, { message: 'not you' });
                  if (path === '/throw') throw new Error('no luck');
`;

const skip = existsSync(CHROMIUM) ? false : 'Chromium is not installed';

describe('the inspector', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kts-inspector-'));
  let dev: CliProcess;
  let gatewayUrl: string;
  let inspectorUrl: string;
  let databaseUrl: string;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;

  before(async () => {
    writeFileSync(join(folder, 'kong.yml'), CONFIG);
    const config = ['--config', join(folder, 'kong.yml')];
    dev = new CliProcess(['dev', '--port', '0', '--inspector', '0', '--json', ...config]);
    const [line] = await dev.said(/\{"event":"ready".*\}/);
    ({ gatewayUrl, inspectorUrl } = JSON.parse(line) as { gatewayUrl: string; inspectorUrl: string });
    databaseUrl = (await dev.said(/PostgreSQL (postgres:\S+)/))[1] as string;
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    context = await browser.newContext();
    page = await context.newPage();
    await page.goto(inspectorUrl);
    // Until the database answers.
    await eventually(
      'the demo customer is let through',
      20_000,
      async () => (await order('/orders/1')) === 200,
    );
  });

  after(async () => {
    await browser?.close();
    dev?.child.kill('SIGTERM');
    await dev?.finished;
    rmSync(folder, { recursive: true });
  });

  const get = async (path: string, headers: Record<string, string> = {}) =>
    (await fetch(`${gatewayUrl}${path}`, { headers })).status;
  const order = (path: string, key = 'demo-key') =>
    get(path, Object.fromEntries(signed('demo-certificate', key)));
  const row = (text: string) => page.locator('.list a', { hasText: text }).first();
  const open = async (text: string) => {
    await page.goto(`${inspectorUrl}/#/`);
    await row(text).click();
    await page.locator('article h2', { hasText: text }).waitFor();
  };
  const rows = () => page.locator('.list li').count();
  const shown = (n: number) => eventually(`${n} rows`, 5000, async () => (await rows()) === n);
  /** Takes the picture of a request where the README's are wanted anew. */
  const picture = async (name: string) => {
    if (PICTURES === undefined) return;
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.screenshot({ path: join(ROOT, 'docs/images', `${name}.png`) });
  };

  it('fills its list while requests run, and says which plugin rejected one and why', async () => {
    assert.equal(await get('/fine'), 200);
    assert.equal(await get('/no'), 403);
    assert.equal(await order('/orders/forged', 'guessed'), 403);
    await row('/fine').waitFor();
    await row('/no').getByText('js-pre-function exited').waitFor();
    await open('/orders/forged');
    const why = page.getByRole('region', { name: 'Why' });
    assert.match(
      (await why.textContent()) ?? '',
      /customer-verification exited in access with 403.*Access Forbidden/,
    );
    await page
      .getByText('Nothing was sent to the upstream: customer-verification exited in access')
      .first()
      .waitFor();
    await picture('inspector-rejected');
    assert.equal(await get('/throw'), 500);
    await open('/throw');
    assert.match((await why.textContent()) ?? '', /js-pre-function threw.*access\[0\]:3:\d+.*no luck/);
  });

  it('marks in the comparison what customer-verification set', async () => {
    assert.equal(await order('/orders/good?x=1'), 200);
    await open('/orders/good');
    const set = page.locator('section[aria-label=Request] tr.added[data-header=x-customer-id]');
    assert.match(
      (await set.textContent()) ?? '',
      new RegExp(`X-Customer-Id.*${CUSTOMER}.*customer-verification`, 'i'),
    );
    await page.getByText('kong.service.request.set_header').first().waitFor();
    await picture('inspector-verified');
  });

  it('filters by text, status, plugin and outcome', async () => {
    await page.goto(`${inspectorUrl}/#/`);
    const text = page.getByLabel('Filter by text');
    const choose = (label: string, value: string) =>
      page.getByLabel(label, { exact: true }).selectOption(value);
    await text.fill('/fine');
    await shown(1);
    await text.fill('');
    await choose('Status', '5xx');
    await shown(1);
    await row('/throw').waitFor();
    await choose('Status', '4xx');
    await choose('Plugin', 'customer-verification');
    await shown(1);
    await row('/orders/forged').waitFor();
    await choose('Status', '');
    await choose('Plugin', '');
    await choose('Outcome', 'threw');
    await shown(1);
    await choose('Outcome', '');
  });

  it('keeps what is on the screen while it is paused', async () => {
    await page.getByRole('button', { name: 'Pause' }).click();
    const before = await rows();
    await get('/while-paused');
    // Another page has it: so the first one was told as well.
    const other = await context.newPage();
    await other.goto(inspectorUrl);
    await other.locator('.list a', { hasText: '/while-paused' }).waitFor();
    await other.close();
    assert.equal(await rows(), before);
    await page.getByRole('button', { name: 'Pause' }).click();
    await row('/while-paused').waitFor();
  });

  it('shows a credential only when it is asked for, also where the upstream repeats it', async () => {
    await get('/secret', { authorization: 'Bearer very-secret-value' });
    await open('/secret');
    await page.getByText('What the client sent').first().waitFor();
    assert.ok(!(await page.content()).includes('very-secret-value'));
    await page.getByRole('button', { name: 'show' }).first().click();
    await page.getByText('very-secret-value').first().waitFor();
    await page.reload();
    await page.getByText('What the client sent').first().waitFor();
    assert.ok(!(await page.content()).includes('very-secret-value'), 'which the page does not remember');
  });

  it('sends a request again, edited', async () => {
    await open('/orders/good');
    await page.getByRole('button', { name: 'Send again' }).click();
    await page.getByLabel('Path').fill('/orders/edited');
    const headers = page.getByLabel(/^Headers, one a line/);
    await headers.fill(`${await headers.inputValue()}\nX-Edited: yes`);
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await page.locator('article h2', { hasText: '200 GET /orders/edited' }).waitFor();
    const added = page.locator('section[aria-label=Request] tr[data-header=x-edited]');
    assert.match((await added.textContent()) ?? '', /yes/);
  });

  it('copies a request as a command that a shell runs', async () => {
    await open('/orders/good');
    await page.getByRole('button', { name: 'Copy as curl' }).click();
    await page.getByLabel('with credentials').check();
    const source = page.locator('#copy', {
      hasText: signed('demo-certificate', 'demo-key')[1]?.[1] as string,
    });
    const command = (await source.textContent()) as string;
    const { stdout } = await promisify(execFile)('/bin/sh', [
      '-c',
      `${command} -s -o /dev/null -w '%{http_code}'`,
    ]);
    assert.match(stdout, /200$/);
  });

  it('copies a request as a test, which passes', async () => {
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(ROOT, join(folder, 'node_modules/kong-ts-pluginserver'));
    const { hostname, port, username, password, pathname } = new URL(databaseUrl);
    const database = {
      SERVER_DB_HOST: hostname,
      SERVER_DB_PORT: port,
      SERVER_DB_USER: username,
      SERVER_DB_PASSWORD: password,
      SERVER_DB_DATABASE: pathname.slice(1),
    };
    const paths = ['/orders/good', '/orders/forged', ...(full ? ['/no', '/throw', '/fine'] : [])];
    for (const [n, path] of paths.entries()) {
      await open(path);
      await page.getByRole('button', { name: 'Copy as test' }).click();
      await page.getByLabel('with credentials').check();
      const source = page.locator('#copy', { hasText: 'startTestGateway' });
      await eventually(
        'the source with credentials',
        5000,
        async () => !/•••|Credentials are read from/.test((await source.textContent()) ?? ''),
      );
      const file = join(folder, `copied-${n}.test.mts`);
      writeFileSync(file, (await source.textContent()) as string);
      const tsx = createRequire(import.meta.url).resolve('tsx');
      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      const run = promisify(execFile)(process.execPath, ['--import', tsx, '--test', file], {
        cwd: ROOT,
        env: { ...env, ...database },
      });
      const { stdout } = await run.catch((error: { stdout: string }) => error);
      assert.match(stdout, /^(?:#|ℹ) pass 1$/m, `${path}\n${readFileSync(file, 'utf8')}\n${stdout}`);
    }
  });

  it('works with the keyboard alone', async () => {
    await page.goto(`${inspectorUrl}/#/`);
    await page.locator('.list a').first().waitFor();
    await page.locator('body').click({ position: { x: 1, y: 1 } });
    await page.keyboard.press('j');
    const title = page.locator('article h2');
    await title.waitFor();
    const first = await title.textContent();
    await page.keyboard.press('j');
    await eventually('the next one', 5000, async () => (await title.textContent()) !== first);
    await page.keyboard.press('Escape');
    await title.waitFor({ state: 'detached' });
    await page.keyboard.press('/');
    await page.keyboard.type('/fine');
    await shown(1);
    await page.getByLabel('Filter by text').fill('');
  });

  it('has no fault that axe finds, dark and light, narrow and wide', async () => {
    const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    for (const colorScheme of ['dark', 'light'] as const) {
      for (const width of full ? [400, 1600] : [colorScheme === 'dark' ? 400 : 1600]) {
        const own = await browser.newContext({
          colorScheme,
          viewport: { width, height: 900 },
          bypassCSP: true,
        });
        const tab = await own.newPage();
        await tab.goto(inspectorUrl);
        await tab.evaluate(axe);
        const look = async (where: string) => {
          const violations = await tab.evaluate(
            `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map((node) => node.html).slice(0, 2)))`,
          );
          assert.deepEqual(violations, [], `${colorScheme}, ${width} px, ${where}`);
          const wider = await tab.evaluate('document.documentElement.scrollWidth - innerWidth');
          assert.ok((wider as number) <= 0, `${where} is ${wider} px wider than ${width} px`);
        };
        await tab.locator('.list a').first().waitFor();
        await look('the list');
        for (const path of ['/orders/good', '/throw']) {
          await tab.evaluate(`location.hash = '#/'`);
          await tab.locator('.list a', { hasText: path }).first().click();
          await tab.locator('article h2', { hasText: path }).waitFor();
          await look(path);
        }
        await tab.evaluate(`location.hash = '#/plugins'`);
        await tab.locator('h2').first().waitFor();
        await look('the plugins');
        await own.close();
      }
    }
  });

  it('gives nothing to another origin, nor under another name', async () => {
    const path = `${inspectorUrl}/api/exchanges/1`;
    assert.equal((await fetch(path, { headers: { origin: 'http://evil.example' } })).status, 403);
    const rebound = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { host: `evil.example:${new URL(path).port}` };
      http.get(path, { headers }, (response) => resolve(response.resume().statusCode)).once('error', reject);
    });
    assert.equal(rebound, 403);
    const policy = (await fetch(inspectorUrl)).headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'/);
    const evil = await context.newPage();
    await evil.route('http://evil.example/', (route) =>
      route.fulfill({ body: '<p>evil</p>', contentType: 'text/html' }),
    );
    await evil.goto('http://evil.example/');
    const read = `fetch(${JSON.stringify(path)}).then((r) => r.text(), () => 'refused')`;
    assert.equal(await evil.evaluate(read), 'refused');
    const sent = `fetch(${JSON.stringify(`${path}/resend`)}, { method: 'POST', mode: 'no-cors', body: '{}' }).then((r) => r.type + r.status, () => 'refused')`;
    assert.match((await evil.evaluate(sent)) as string, /^(?:refused|opaque0)$/);
    await evil.close();
  });

  it('keeps 1,000 requests of many more, in flat memory, and stays usable', async () => {
    await page.goto(`${inspectorUrl}/#/`);
    const memory = () => residentBytes([dev.pid]) / 1024 / 1024;
    const send = async (count: number) => {
      let left = count;
      const lane = async () => {
        while (left-- > 0) await get('/many');
      };
      await Promise.all(Array.from({ length: 8 }, lane));
    };
    await send(1100);
    const before = memory();
    await send(full ? 3900 : 150);
    const grown = memory() - before;
    assert.ok(grown < 60, `${grown} MB more`);
    await eventually('1,000 are kept', 10_000, async () =>
      /^1000 of 1000$/.test((await page.locator('#count').textContent()) ?? ''),
    );
    await get('/after-many');
    await row('/after-many').click({ timeout: 3000 });
    await page.locator('article h2', { hasText: '/after-many' }).waitFor({ timeout: 3000 });
  });
});
