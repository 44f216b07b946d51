import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { startTestGateway } from 'kong-ts-pluginserver/testing';
import * as httpLogger from './index.js';

/** A collector that keeps the bodies it gets. */
async function startCollector(status = 200) {
  const bodies: string[] = [];
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    bodies.push(body);
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/logs`,
    bodies,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function start(config: object) {
  return startTestGateway({
    plugins: { 'http-logger': httpLogger },
    routes: [{ name: 'all', paths: ['/'], plugins: [{ name: 'http-logger', config }] }],
  });
}

test('entries go out together, and the rest when the instance is closed', async () => {
  await using collector = await startCollector();
  {
    await using gateway = await start({ url: collector.url, batch: 2, wait_seconds: 60 });
    for (const path of ['/a', '/b', '/c']) await gateway.request(path);
  }
  assert.deepEqual(
    collector.bodies.map((body) =>
      body
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).request.uri),
    ),
    [['/a', '/b'], ['/c']],
  );
});

test('a collector that refuses costs entries and one line, and no request', async () => {
  await using collector = await startCollector(500);
  await using gateway = await start({ url: collector.url, batch: 1 });
  for (const path of ['/a', '/b', '/c']) assert.equal((await gateway.request(path)).status, 200);
  const lines = gateway.log.filter(({ text }) => text.includes('entries lost'));
  assert.ok(lines.length <= 1);
});
