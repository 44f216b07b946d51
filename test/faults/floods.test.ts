import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { FloodClient } from '../../bench/floods/client.js';
import type { Postgres } from '../../src/dev/postgres.js';
import { signed } from '../plugins/customer-verification/rig.js';
import { full } from '../support/full.js';
import { KongPeer } from '../support/kong-peer.js';
import { socketFolder } from '../support/serving.js';
import { Supervised } from '../support/supervised.js';
import { startCustomers } from './rig.js';

const PLUGINS = join(import.meta.dirname, '../fixtures/faulty-plugins');
/** How many customers that there are not are remembered. */
const REMEMBERED = 500;
const WARM_UP = 2 * REMEMBERED;
const FLOOD = full ? 6000 : 1500;
const CLIENTS = 8;
const MOST_GROWTH_BYTES = 1024 * 1024;
const MOST_LINES = 20;

describe('a flood of', () => {
  let postgres: Postgres;
  before(async () => {
    postgres = await startCustomers();
  });
  after(() => postgres.dispose());

  const forged = (id: string) => Object.fromEntries(signed(id, 'guessed'));
  const FLOODS: [what: string, headersOf: (n: number) => Record<string, string>][] = [
    ['guessed signatures', (n) => forged(`c${n % 40}`)],
    ['made-up customers', (n) => forged(`nobody-${n}`)],
  ];

  for (const [what, headersOf] of FLOODS) {
    it(`${what} takes no memory and few log lines, and good customers get through`, async (t) => {
      const socket = join(socketFolder(t), 'p.sock');
      const server = new Supervised(['-d', PLUGINS, '--socket', socket], {
        env: postgres.env,
        node: ['--expose-gc'],
      });
      t.after(() => server.stop());
      await server.serving();
      const peer = new KongPeer(socket);
      const good = new FloodClient(socket);
      t.after(() => {
        peer.close();
        good.close();
      });
      const instance = await good.start({ negative_cache_size: REMEMBERED });
      const heap = (await peer.start('heap')) as number;
      const heapUsed = async () => {
        const { calls } = await peer.event(heap);
        return Number((calls[0]?.args as { v: string } | undefined)?.v);
      };

      let logged = 0;
      let sent = 0;
      const flood = async (count: number) => {
        const last = sent + count;
        const lane = async () => {
          const client = new FloodClient(socket);
          while (sent < last) {
            const { end, calls } = await client.event(instance, headersOf(sent++));
            assert.equal(end, 'exit');
            logged += calls.filter(({ method }) => method.startsWith('kong.log.')).length;
          }
          client.close();
        };
        await Promise.all(Array.from({ length: CLIENTS }, lane));
      };
      await flood(WARM_UP);
      const before = await heapUsed();
      const flooding = flood(FLOOD);
      let answered = 0;
      while (sent < WARM_UP + FLOOD) {
        const { end } = await good.event(instance, Object.fromEntries(signed('c1', 'k1')));
        assert.equal(end, 'returned');
        answered++;
      }
      await flooding;
      const grown = (await heapUsed()) - before;
      const lines = server.output.split('\n').length + logged;
      t.diagnostic(`${sent} rejected: ${grown} bytes, ${lines} lines; ${answered} good ones meanwhile`);
      assert.ok(grown < MOST_GROWTH_BYTES, `${grown} bytes more`);
      assert.ok(lines < MOST_LINES, `${lines} lines`);
      assert.ok(answered > FLOOD / 60, `only ${answered} good requests got through meanwhile`);
      assert.equal(server.starts, 1);
    });
  }
});
