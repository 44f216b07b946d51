import { isUuid } from '../config/ids.js';
import { LuaError, type LuaTable, type LuaValue } from '../plugin-port.js';
import { isTable, stringArgument } from './arguments.js';
import { AUTHENTICATED_AND_LATER, getter, type HostContext, type HostFunctions, setter } from './context.js';
import { consumerTable } from './entity-tables.js';

function loadConsumer({ node }: HostContext, [reference, byUsername]: readonly LuaValue[]): LuaValue {
  const wanted = stringArgument(reference, 'consumer_id');
  const { consumers } = node.config;
  if (!isUuid(wanted) && byUsername !== true) {
    throw new LuaError('cannot load a consumer with an id that is not a uuid');
  }
  const found = consumers.find(
    ({ id, username }) => (isUuid(wanted) && id === wanted) || (byUsername === true && username === wanted),
  );
  return found && consumerTable(found);
}

function authenticate({ live }: HostContext, [consumer, credential]: readonly LuaValue[]): void {
  if (consumer !== undefined && !isTable(consumer)) {
    throw new LuaError('consumer must be a table or nil');
  }
  if (credential !== undefined && !isTable(credential)) {
    throw new LuaError('credential must be a table or nil');
  }
  if (consumer === undefined && credential === undefined) {
    throw new LuaError('either credential or consumer must be provided');
  }
  live.identity = {
    consumer: consumer as LuaTable | undefined,
    credential: credential as LuaTable | undefined,
  };
}

const get = getter(AUTHENTICATED_AND_LATER);

/** `kong.client` and `kong.ip`. */
export const clientFunctions: HostFunctions = {
  'kong.client.get_ip': { run: ({ live }) => live.clientIp },
  'kong.client.get_port': { run: ({ live }) => live.clientPort },
  // Without trusted_ips Kong believes no X-Forwarded-For.
  'kong.client.get_forwarded_ip': { run: ({ live }) => live.clientIp },
  'kong.client.get_forwarded_port': { run: ({ live }) => live.clientPort },
  'kong.client.get_credential': get(({ exchange }) => exchange.identity.credential),
  'kong.client.get_consumer': get(({ exchange }) => exchange.identity.consumer),
  'kong.client.load_consumer': get(loadConsumer),
  'kong.client.authenticate': setter(['access'])(authenticate),
  'kong.client.get_protocol': get(({ live }) => live && 'http'),
  'kong.ip.is_trusted': { run: () => false },
};
