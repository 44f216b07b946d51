import { after } from 'node:test';
import { startPostgres } from '../support/postgres.js';

// The example's own test, with a real database in the variables where it looks for one.
const postgres = await startPostgres();
Object.assign(process.env, postgres.env);
after(() => postgres.dispose());
await import('../../examples/plugins/api-key/index.test.js');
