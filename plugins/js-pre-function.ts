import { functionsPlugin, REQUEST_PHASES } from './js-functions/define.js';

// Runs functions from its configuration before the other plugins of each phase.

export const name = 'js-pre-function';
export const version = '1.0.0';
export const priority = 1000000;

const defined = functionsPlugin(name, REQUEST_PHASES);
export const { validate, Plugin } = defined;
/** No function of this plugin would run for a consumer: none is known yet when it does. */
export const Schema = { ...defined.Schema, consumer: null };
