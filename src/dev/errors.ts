import { PluginServerError } from '../errors.js';

/** The stop was asked for before everything was up. */
export class DevStoppedError extends PluginServerError {
  constructor() {
    super('DEV_STOPPED', 'stopped while starting');
  }
}
