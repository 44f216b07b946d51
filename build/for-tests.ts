import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.js';

// What `npm test` runs as processes of their own, without declarations: a second instead of ten.
await bundle(fileURLToPath(new URL('../dist', import.meta.url)));
