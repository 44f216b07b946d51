import type { Load, Player } from './load.js';
import { MsgpackPlayer } from './msgpack.js';
import { ProtobufPlayer } from './protobuf.js';
import { type LoadResult, Tally } from './tally.js';

/** What the benchmark says to the driver process, one command at a time; each is answered once. */
export type DriverCommand =
  | { command: 'begin'; load: Load }
  | { command: 'count'; milliseconds: number; events: number }
  | { command: 'end' };

export type DriverAnswer = { result?: LoadResult } | { fault: string };

/** How often the driver looks whether it has counted enough events, in milliseconds. */
const LOOK_EVERY = 5;

let player: Player | undefined;
let tally = new Tally();

async function obey(command: DriverCommand): Promise<LoadResult | undefined> {
  switch (command.command) {
    case 'begin':
      tally = new Tally();
      player =
        command.load.dialect === 'msgpack'
          ? new MsgpackPlayer(command.load, tally)
          : new ProtobufPlayer(command.load, tally);
      await player.prepare();
      player.start();
      return undefined;
    case 'count':
      tally.open();
      await new Promise((resolve) => setTimeout(resolve, command.milliseconds));
      while (tally.events < command.events) await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
      return tally.close();
    case 'end':
      await player?.stop();
      player = undefined;
      return undefined;
  }
}

process.on('message', (command: DriverCommand) => {
  obey(command).then(
    (result) => process.send?.({ ...(result === undefined ? {} : { result }) } satisfies DriverAnswer),
    (error: Error) => process.send?.({ fault: error.message } satisfies DriverAnswer),
  );
});

process.once('disconnect', () => process.exit());
