import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { compilePackage } from './plain-node.js';

const compiled = compilePackage();
after(() => compiled.remove());

const NOISY = `
  import { execSync, spawn, spawnSync } from 'node:child_process';
  import fs, { appendFileSync, createWriteStream, writeFileSync, writeSync } from 'node:fs';
  import { open, writeFile } from 'node:fs/promises';
  import { once } from 'node:events';
  import { createRequire } from 'node:module';

  console.log('noise: console before');
  const { reserveStdout } = await import('./dist/src/plugin/quiet-stdout.js');
  const write = reserveStdout();
  console.log('noise: console.log');
  console.info('noise: console.info');
  console.table([{ noise: 'table' }]);
  process.stdout.write('noise: process.stdout\\n');
  process.stdout.write(Buffer.from('noise: buffer\\n'), () => {});
  writeSync(1, 'noise: named import of writeSync\\n');
  fs.writeSync(1, 'noise: fs.writeSync\\n');
  fs.write(1, 'noise: fs.write\\n', () => {});
  writeFileSync(1, 'noise: writeFileSync\\n');
  appendFileSync('/dev/stdout', 'noise: appendFileSync\\n');
  createRequire(import.meta.url)('fs').writeFileSync('/dev/stdout', 'noise: required fs\\n');
  await writeFile('/dev/stdout', 'noise: promises\\n');
  const handle = await open('/proc/self/fd/1', 'a');
  await handle.write('noise: file handle\\n');
  await handle.close();
  createWriteStream('', { fd: 1, autoClose: false }).write('noise: stream\\n');
  execSync('echo noise: execSync', { stdio: 'inherit' });
  spawnSync('echo', ['noise: spawnSync'], { stdio: ['ignore', 1, 'inherit'] });
  await once(spawn('echo', ['noise: spawn'], { stdio: ['ignore', process.stdout, 2] }), 'exit');
  const output = execSync('echo captured').toString();
  write('{"json":"' + output.trim() + 'x'.repeat(SIZE) + '"}');
  setTimeout(() => console.log('noise: timer'), 5);
`;

describe('reserved standard output', () => {
  test('carries the reserved text only, however else a plugin prints', async () => {
    const noisy = NOISY.replace("console.log('noise: console before');", '').replace('SIZE', '0');
    const { stdout, stderr } = await compiled.run(noisy);
    assert.equal(stdout, '{"json":"captured"}');
    for (const [, source] of noisy.matchAll(/noise: ([\w. ]+)/g))
      assert.ok(stderr.includes(`noise: ${source}`), source);
  });

  test('stays reserved when the console was used before', async () => {
    const { stdout } = await compiled.run(NOISY.replace('SIZE', '0'));
    assert.equal(stdout, 'noise: console before\n{"json":"captured"}');
  });

  test('is written completely to a non-blocking pipe that is read slowly', async () => {
    const script = `
      process.stdout; // Node makes a pipe non-blocking when it is first asked for the stream.
      const { reserveStdout } = await import('./dist/src/plugin/quiet-stdout.js');
      reserveStdout()('y'.repeat(3_000_000));
      process.exit(0);`;
    const { stdout } = await compiled.run(script);
    assert.equal(stdout.length, 3_000_000);
  });
});
