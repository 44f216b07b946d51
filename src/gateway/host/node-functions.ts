import { AUTHENTICATED_AND_LATER, getter, type HostFunctions } from './context.js';
import { entityTable } from './entity-tables.js';

/** Sizes of Kong's shared dictionaries by default; this gateway has none, so nothing of them is allocated. */
const DICTIONARY_BYTES = { kong: 5_242_880, kong_db_cache: 134_217_728 };

const get = getter(AUTHENTICATED_AND_LATER);

/** `kong.node` and `kong.router`. */
export const nodeFunctions: HostFunctions = {
  'kong.node.get_id': { run: ({ node }) => node.id },
  'kong.node.get_hostname': { run: () => 'localhost' },
  'kong.node.get_memory_stats': {
    run: () => ({
      lua_shared_dicts: Object.fromEntries(
        Object.entries(DICTIONARY_BYTES).map(([name, capacity]) => [name, { capacity, allocated_slabs: 0 }]),
      ),
      workers_lua_vms: [{ http_allocated_gc: process.memoryUsage().heapUsed, pid: process.pid }],
    }),
  },
  'kong.router.get_route': get(({ exchange: { match } }) => match && entityTable(match.route)),
  'kong.router.get_service': get(({ exchange: { service } }) => service && entityTable(service)),
};
