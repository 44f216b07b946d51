import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DevOutput } from '../../src/dev/output.js';
import { styleFor } from '../../src/dev/terminal.js';
import type { Kong } from '../../src/index.js';
import { maskedCall, maskedNamed, maskedTarget } from '../../src/inspector/masking.js';
import type { PdkCall } from '../../src/inspector/record.js';
import { Recorder } from '../../src/inspector/recorder.js';
import { startTestGateway } from '../../src/testing/index.js';

const plain = styleFor({}, {});

const probe = {
  version: '1.0.0',
  priority: 7,
  Plugin: class {
    async access(kong: Kong): Promise<void> {
      const what = await kong.request.getHeader('x-do');
      if (what === 'throw') throw new Error('no luck', { cause: new TypeError('the reason') });
      if (what === 'exit') await kong.response.exit(403);
      kong.service.request.setHeader('Authorization', 'Bearer s3cret');
      kong.service.request.setHeader('X-Plain', 'to be seen');
    }
    async log(kong: Kong): Promise<void> {
      await kong.log.notice('over');
    }
  },
};

/** What `dev` prints of requests: the records come from a real gateway and pass through the output once more. */
async function printed(verbosity: number, ...requests: [string, string][]): Promise<string[]> {
  const lines: string[] = [];
  await using gateway = await startTestGateway({ plugins: { probe } });
  const recorder = new Recorder();
  const output = new DevOutput(recorder, { verbosity, style: plain, write: (line) => lines.push(line) });
  for (const [path, what] of requests) {
    const { record } = await gateway.request(path, { headers: { 'x-do': what } });
    recorder.replay(record);
  }
  output.close();
  return lines;
}

test('a request is one line: time, method, path, status, duration, route, plugins', async () => {
  const lines = await printed(0, ['/a?q=1', 'pass'], ['/b', 'exit']);
  assert.match(lines[0] ?? '', /^\d\d:\d\d:\d\d\.\d{3} GET \/a\?q=1 200 \d+ ms all {2}probe changed$/);
  assert.match(lines[1] ?? '', /GET \/b 403 \d+ ms all {2}probe exited$/);
  assert.equal(lines.length, 2);
});

test('an error is told once, with its stack over several lines, own frames first', async () => {
  const lines = await printed(0, ['/', 'throw']);
  assert.match(lines[0] ?? '', /GET \/ 500 .* probe threw$/);
  assert.match(lines[1] ?? '', /^ {2}probe threw in access: Error: no luck/);
  assert.match(lines[2] ?? '', /^ {6}at .*test\/dev\/output\.test\.ts:\d+:\d+/);
  assert.equal(lines.filter((line) => line.includes('no luck')).length, 1);
  const cause = lines.findIndex((line) => /^ {4}Caused by: TypeError: the reason$/.test(line));
  assert.match(lines[cause + 1] ?? '', /^ {6}at .*test\/dev\/output\.test\.ts:\d+:\d+/);
});

test('-v adds the calls, credentials masked', async () => {
  const lines = await printed(1, ['/?api_key=s3cret', 'pass']);
  const text = lines.join('\n');
  assert.match(text, /access probe #\d+ \S+ ms changed/);
  assert.match(text, /kong\.request\.get_header\("x-do"\) → "pass"/);
  assert.match(text, / {3}\+ kong\.service\.request\.set_header\("X-Plain", "to be seen"\)/);
  assert.doesNotMatch(text, /s3cret/);
});

test('levels of log lines are those asked for', () => {
  const at = (verbosity: number) => {
    const lines: string[] = [];
    const output = new DevOutput(new Recorder(), {
      verbosity,
      style: plain,
      write: (line) => lines.push(line),
    });
    for (const level of ['debug', 'info', 'notice', 'warn', 'error'] as const) {
      output.log(level, `[kong] [hello] ${level}, client: …`, {
        plugin: 'hello',
        phase: 'access',
        message: level,
      });
    }
    return lines.map((line) => line.replace(/^\S+ /, ''));
  };
  assert.deepEqual(at(0), ['[notice] hello: notice', '[warn] hello: warn', '[error] hello: error']);
  assert.equal(at(1)[0], '[info] hello: info');
  assert.equal(at(2)[0], '[debug] hello: debug');
});

test('colours are for terminals, and for nobody who does not want them', () => {
  const colours = (stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv) =>
    styleFor(stream, env).bad('x') !== 'x';
  assert.equal(colours({ isTTY: true }, {}), true);
  assert.equal(colours({}, {}), false);
  assert.equal(colours({ isTTY: true }, { NO_COLOR: '1' }), false);
  assert.equal(colours({ isTTY: true }, { TERM: 'dumb' }), false);
  assert.equal(colours({}, { FORCE_COLOR: '1' }), true);
});

test('credentials are masked by what they are called', () => {
  const names = ['Authorization', 'Cookie', 'X-Api-Key', 'client-request-signature', 'X-Keyboard', 'Accept'];
  assert.deepEqual(
    names.filter((name) => maskedNamed(name, 'value') === 'value'),
    ['X-Keyboard', 'Accept'],
  );
  assert.equal(maskedTarget('/a?access_token=x&b=c&token='), '/a?access_token=•••&b=c&token=');
  const call = (method: string, args: PdkCall['args'], answer?: PdkCall['answer']) =>
    maskedCall({ method, args, answer, error: undefined, startedAt: 0, endedAt: 0, write: 1 });
  assert.equal(call('kong.request.get_header', ['Authorization'], 'x').answer, '•••');
  assert.equal(call('kong.nginx.get_var', ['http_authorization'], 'x').answer, '•••');
  assert.deepEqual(call('kong.request.get_headers', [100], { cookie: 'a', host: 'b' }).answer, {
    cookie: '•••',
    host: 'b',
  });
  assert.equal(call('kong.request.get_raw_query', [], 'token=x&a=b').answer, 'token=•••&a=b');
  assert.deepEqual(call('kong.response.exit', [200, 'x', { 'Set-Cookie': 'a' }]).args, [
    200,
    'x',
    { 'Set-Cookie': '•••' },
  ]);
});
