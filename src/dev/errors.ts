import { PluginServerError } from '../errors.js';

/** The command line cannot be understood. */
export class DevUsageError extends PluginServerError {
  constructor(message: string) {
    super('USAGE', message);
  }
}

/** The stop was asked for before everything was up. */
export class DevStoppedError extends PluginServerError {
  constructor() {
    super('DEV_STOPPED', 'stopped while starting');
  }
}
