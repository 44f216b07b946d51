import { configuredPriority } from './priority.js';

export { Plugin } from './plugin.js';
export { Schema } from './schema.js';
export { validate } from './validate.js';

export const version = '1.0.0';
export const priority = configuredPriority();
