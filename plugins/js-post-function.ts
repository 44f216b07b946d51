import { functionsPlugin, REQUEST_PHASES } from './js-functions/define.js';

// Runs functions from its configuration after the other plugins of each phase.

export const name = 'js-post-function';
export const version = '1.0.0';
export const priority = -1000;
export const { Schema, validate, Plugin } = functionsPlugin(name, REQUEST_PHASES);
