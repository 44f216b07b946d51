import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Browser, chromium, type Page } from 'playwright-core';
import { CliProcess } from '../support/cli.js';

const CHROMIUM = '/usr/bin/chromium';
const FLAGS =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'.split(
    ' ',
  );

const CONFIG = `_format_version: "3.0"
services:
  - name: echo
    url: http://upstream:8080
    routes:
      - name: all
        paths: [/]
        plugins:
          - name: hello
          - name: js-pre-function
            config:
              access:
                - |
                  if ((await kong.request.getPath()) === '/no') return kong.response.exit(403, { message: 'not you' });
`;

const skip = existsSync(CHROMIUM) ? false : 'Chromium is not installed';

describe('the inspector', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kts-inspector-'));
  let dev: CliProcess;
  let gatewayUrl: string;
  let inspectorUrl: string;
  let browser: Browser;
  let page: Page;

  before(async () => {
    writeFileSync(join(folder, 'kong.yml'), CONFIG);
    const config = ['--config', join(folder, 'kong.yml')];
    dev = new CliProcess(['dev', '--port', '0', '--inspector', '0', '--json', '--no-database', ...config]);
    const [line] = await dev.said(/\{"event":"ready".*\}/);
    ({ gatewayUrl, inspectorUrl } = JSON.parse(line) as { gatewayUrl: string; inspectorUrl: string });
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    page = await browser.newPage();
    await page.goto(inspectorUrl);
  });

  after(async () => {
    await browser?.close();
    dev?.child.kill('SIGTERM');
    await dev?.finished;
    rmSync(folder, { recursive: true });
  });

  it('fills its list while requests run, and says which plugin rejected one', async () => {
    assert.equal((await fetch(`${gatewayUrl}/fine`)).status, 200);
    assert.equal((await fetch(`${gatewayUrl}/no`)).status, 403);
    await page.getByText('/fine').first().waitFor();
    await page.getByText('js-pre-function exited').first().waitFor();
  });

  it('shows a header of a credential only when it is asked for, also where the upstream repeats it', async () => {
    await fetch(`${gatewayUrl}/secret`, { headers: { authorization: 'Bearer very-secret-value' } });
    await page.getByText('/secret').first().click();
    await page.getByText('What the client sent').waitFor();
    assert.ok(!(await page.content()).includes('very-secret-value'));
    await page.getByRole('button', { name: 'show' }).first().click();
    await page.getByText('very-secret-value').first().waitFor();
  });

  it('gives nothing to another origin, nor under another name', async () => {
    const path = `${inspectorUrl}/api/exchanges`;
    const foreign = await fetch(path, { headers: { origin: 'http://evil.example' } });
    assert.equal(foreign.status, 403);
    const policy = (await fetch(inspectorUrl)).headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'/);
  });
});
