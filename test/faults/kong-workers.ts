import type { EventOutcome, PluginCaller, PluginEvent } from '../../src/gateway/plugin-port.js';

/**
 * The nginx workers of a Kong that is reloaded: each new one knows no instance and has no connection yet, and the one
 * before ends when its last event has.
 */
export class KongWorkers implements PluginCaller {
  private readonly make: () => PluginCaller;
  private current: { caller: PluginCaller; events: number; retired: boolean };

  /** @param make the plugin calls of one worker */
  constructor(make: () => PluginCaller) {
    this.make = make;
    this.current = { caller: make(), events: 0, retired: false };
  }

  async handleEvent(event: PluginEvent): Promise<EventOutcome> {
    const worker = this.current;
    worker.events++;
    try {
      return await worker.caller.handleEvent(event);
    } finally {
      worker.events--;
      // What ends in a response of the plugin's keeps its connection until the request has been answered.
      if (worker.retired && worker.events === 0) setTimeout(() => worker.caller.close(), 100);
    }
  }

  /** From now on another worker takes the events. */
  renew(): void {
    const before = this.current;
    this.current = { caller: this.make(), events: 0, retired: false };
    before.retired = true;
    if (before.events === 0) before.caller.close();
  }

  close(): void {
    this.current.caller.close();
  }
}
