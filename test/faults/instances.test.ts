import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { full } from '../support/full.js';
import { KongPeer } from '../support/kong-peer.js';
import { socketFolder } from '../support/serving.js';
import { Supervised } from '../support/supervised.js';

const PLUGIN = `
export const Schema = [{ message: { type: 'string' } }];
export const version = '1.0.0';
export const priority = 1;
export class Plugin {
  constructor(config) {
    this.message = config.message;
  }
  async access(kong) {
    if (this.message === 'measure') {
      globalThis.gc();
      this.message = String(process.memoryUsage().heapUsed);
    }
    kong.response.setHeader('x-message', this.message);
  }
}
`;
const CHANGES = full ? 100_000 : 4_000;
/** What a change may leave behind: less than any object of an instance. */
const BYTES_PER_CHANGE = full ? 21 : 300;
/** Longer than a machine that runs other tests as well leaves an instance without an event. */
const TTL_MS = 2000;

interface Rig {
  readonly server: Supervised;
  /** Uses a connection of its own. */
  connected<T>(use: (peer: KongPeer) => Promise<T>): Promise<T>;
}

async function start(t: TestContext, args: readonly string[] = [], options = {}): Promise<Rig> {
  const folder = socketFolder(t);
  mkdirSync(join(folder, 'plugins'));
  writeFileSync(join(folder, 'plugins', 'says.mjs'), PLUGIN);
  const socket = join(folder, 'p.sock');
  const server = new Supervised(['-d', join(folder, 'plugins'), '--socket', socket, ...args], options);
  t.after(() => server.stop());
  await server.serving();
  return {
    server,
    async connected(use) {
      const peer = new KongPeer(socket);
      try {
        return await use(peer);
      } finally {
        peer.close();
      }
    },
  };
}

/** What the instance's header says; undefined when the event was refused by closing. */
async function message(peer: KongPeer, id: number): Promise<string | undefined> {
  const { calls, end } = await peer.event(id);
  assert.ok(end === 'returned' || calls.length === 0);
  return (calls[0]?.args as { v: string } | undefined)?.v;
}

/** What is on the heap of the server that cannot be collected, bytes. */
async function heapUsed(peer: KongPeer): Promise<number> {
  const id = (await peer.start('says', { message: 'measure' })) as number;
  const bytes = Number(await message(peer, id));
  await peer.command({ cmd_close_instance: { instance_id: id } });
  return bytes;
}

describe('instances', () => {
  it(`${CHANGES} changes of the configuration leave memory flat`, async (t) => {
    const { connected } = await start(t, [], { node: ['--expose-gc'] });
    await connected(async (peer) => {
      let current = (await peer.start('says', { message: 'first' })) as number;
      let warm = 0;
      for (let n = 1; n <= CHANGES; n++) {
        const next = (await peer.start('says', { message: `change ${n}` })) as number;
        await peer.command({ cmd_close_instance: { instance_id: current } });
        current = next;
        if (n === CHANGES / 10) warm = await heapUsed(peer);
      }
      const grown = (await heapUsed(peer)) - warm;
      t.diagnostic(`the heap has grown by ${grown} bytes`);
      assert.ok(grown < BYTES_PER_CHANGE * CHANGES, `the heap has grown by ${grown} bytes`);
      assert.equal(await message(peer, current), `change ${CHANGES}`);
    });
  });

  for (const workers of ['1', '2']) {
    it(`that Kong has forgotten expire, those in use do not, with --workers ${workers}`, async (t) => {
      const { server, connected } = await start(t, ['--workers', workers, '-v'], {
        env: { KONG_TS_INSTANCE_TTL_MS: String(TTL_MS) },
      });
      const [used, forgotten] = await connected(async (peer) => [
        (await peer.start('says', { message: 'used' })) as number,
        (await peer.start('says', { message: 'forgotten' })) as number,
      ]);
      const expired = new RegExp(`says #${forgotten}: instance expired`, 'g');
      while ((server.output.match(expired) ?? []).length < Number(workers)) {
        assert.equal(await connected((peer) => message(peer, used as number)), 'used');
      }
      assert.equal(await connected((peer) => message(peer, forgotten as number)), undefined);
      assert.equal(await connected((peer) => message(peer, used as number)), 'used');
    });
  }

  it('an id never runs another configuration, whatever happens in between', async (t) => {
    const { server, connected } = await start(t, ['--workers', '2']);
    /** What every id that was ever given out stands for. */
    const given = new Map<number, string>();
    /** Those that the server still has to know. */
    const alive = new Set<number>();
    let configurations = 0;
    let restarts = 0;

    const pick = (n: number): number | undefined => [...given.keys()][n % Math.max(1, given.size)];
    const steps: Record<string, (n: number) => Promise<void>> = {
      async start() {
        const text = `configuration ${configurations++}`;
        const id = (await connected((peer) => peer.start('says', { message: text }))) as number;
        assert.ok(!given.has(id), `id ${id} was given out before`);
        given.set(id, text);
        alive.add(id);
      },
      async event(n) {
        const id = pick(n);
        if (id === undefined) return;
        const said = await connected((peer) => message(peer, id));
        assert.equal(said, alive.has(id) ? given.get(id) : undefined, `instance ${id}`);
      },
      async close(n) {
        const id = pick(n);
        if (id === undefined) return;
        await connected((peer) => peer.command({ cmd_close_instance: { instance_id: id } }));
        alive.delete(id);
      },
      async 'kill a worker'(n) {
        const victim = server.workers()[n % 2] as number;
        process.kill(victim, 'SIGKILL');
        // Whoever it was: the others serve on, and its successor knows everything before it accepts.
        while (server.workers().includes(victim) || server.workers().length < 2) {
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      },
      async restart() {
        process.kill(server.pid, 'SIGKILL');
        await server.serving(server.starts + 1);
        restarts++;
        alive.clear();
      },
      async reload(n) {
        await server.reload(n % 1000);
        restarts++;
        alive.clear();
      },
    };
    const step = fc.record({
      what: fc.oneof(
        { weight: 8, arbitrary: fc.constantFrom('start', 'event', 'close') },
        { weight: 8, arbitrary: fc.constant('event') },
        { weight: 2, arbitrary: fc.constantFrom('kill a worker', 'restart', 'reload') },
      ),
      n: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 40 }), async (sequence) => {
        for (const { what, n } of sequence) await steps[what]?.(n);
        for (let n = 0; n < given.size; n++) await steps.event?.(n);
      }),
      // Shrinking would begin with the state that the failure has left.
      { numRuns: full ? 4 : 1, endOnFailure: true },
    );
    t.diagnostic(`${given.size} instances, ${restarts} restarts and reloads`);
  });
});
