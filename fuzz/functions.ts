import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { Judge } from '../test/plugins/js-functions/refusing-judge.js';
import {
  clientBody,
  REFUSING_FUNCTIONS,
  refusingProgram,
} from '../test/plugins/js-functions/refusing-programs.js';

const USAGE = `Usage: npm run fuzz:functions -- [--seconds N] [--seed N]

Runs functions that refuse every request, over both protocols: half of the time random programs around the refusal, half of
it random bodies of clients. Ends with the smallest one that is let through.
`;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    seed: { type: 'string' },
    help: { type: 'boolean' },
  },
});

async function main(): Promise<void> {
  const seed = Number(values.seed ?? Date.now() % 2 ** 31);
  const limits = {
    seed,
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: Number(values.seconds) * 500,
  };
  const closers: (() => void)[] = [];
  try {
    for (const [what, property] of [
      ['programs', (judge: Judge) => fc.asyncProperty(refusingProgram, (program) => judge.refuses(program))],
      [
        'bodies',
        (judge: Judge) =>
          fc.asyncProperty(fc.constantFrom(...REFUSING_FUNCTIONS), clientBody, (source, body) =>
            judge.refusesBody(source, body),
          ),
      ],
    ] as const) {
      const judge = await Judge.start({ after: (close) => closers.push(close) });
      await fc.assert(property(judge) as fc.IAsyncProperty<unknown>, limits);
      const { refused, failed, notStarted } = judge.counts;
      process.stdout.write(
        `seed ${seed}, ${what}: ${refused} refused, ${failed} failed, ${notStarted} not started\n`,
      );
    }
  } finally {
    for (const close of closers.reverse()) close();
  }
}

if (values.help) process.stdout.write(USAGE);
else await main();
