import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeKong, startTestGateway } from 'kong-ts-pluginserver/testing';
import * as targetByIp from './index.js';

const config = { addresses: ['10.0.0.1'], host: 'beta.internal', port: 8443 };

for (const phase of ['access', 'preread'] as const) {
  test(`clients of the addresses go to the other target, in ${phase}`, async () => {
    const plugin = new targetByIp.Plugin(config);
    const run = (ip: string) => fakeKong({ phase, client: { ip } }).run((kong) => plugin[phase](kong));
    assert.deepEqual((await run('10.0.0.1')).target, { host: 'beta.internal', port: 8443 });
    assert.notEqual((await run('10.0.0.2')).target?.host, 'beta.internal');
  });
}

test('through the gateway', async () => {
  await using gateway = await startTestGateway({
    plugins: { 'target-by-ip': targetByIp },
    routes: [
      { paths: ['/'], plugins: [{ name: 'target-by-ip', config: { ...config, addresses: ['127.0.0.1'] } }] },
    ],
  });
  assert.equal((await gateway.request('/')).upstream?.headers.host, 'beta.internal');
});
