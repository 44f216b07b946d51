import { functionsPlugin } from './js-functions/define.js';

// Runs functions from its configuration on the response. A plugin of its own because Kong buffers the whole response of
// every request that a plugin with a response phase applies to: nothing streams there any more.

export const name = 'js-response-function';
export const version = '1.0.0';
export const priority = -1000;
export const { Schema, validate, Plugin } = functionsPlugin(name, ['response']);
