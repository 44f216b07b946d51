import { configuredPriority } from './priority.js';

// For the first request after a reload this is most of what it would wait for.
export { pg as prepare } from './drivers.js';
export { Plugin } from './plugin.js';
export { Schema } from './schema.js';
export { validate } from './validate.js';

export const version = '1.0.0';
export const priority = configuredPriority();
