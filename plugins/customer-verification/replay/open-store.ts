import { type Share, SharedResources } from 'kong-ts-pluginserver';
import type { VerificationConfig } from '../config.js';
import type { Environment } from '../environment.js';
import { ConfigurationError } from '../errors.js';
import { MemoryReplayStore } from './memory-store.js';
import { RedisReplayStore } from './redis-store.js';
import type { ReplayStore } from './replay-store.js';

const stores = new SharedResources<ReplayStore>((store) => store.close());

// Lives as long as the process: it must not forget because Kong lets go of an instance that nobody used for a while.
const memory: Share<ReplayStore> = { value: new MemoryReplayStore(), release: () => undefined };

/**
 * Opens the replay store that the configuration asks for; undefined when it asks for none. All instances of the
 * process share it: a signature that was good once on one route is not good on another.
 *
 * @throws {ConfigurationError} when the store cannot do what it is for.
 */
export function openReplayStore(
  config: VerificationConfig,
  environment: Environment,
): Share<ReplayStore> | undefined {
  if (!config.replayProtection) return undefined;
  const share = config.replayStore === 'redis' ? openRedis(environment) : openMemory(environment);
  share.value.retain(config.clockSkewMs);
  return share;
}

function openRedis(environment: Environment): Share<ReplayStore> {
  const url = environment.REDIS_URL;
  if (!url) throw new ConfigurationError('replay_store is redis, but REDIS_URL is not set');
  if (!/^rediss?:\/\//.test(url))
    throw new ConfigurationError('REDIS_URL must begin with redis:// or rediss://');
  return stores.acquire(url, () => new RedisReplayStore(url));
}

function openMemory(environment: Environment): Share<ReplayStore> {
  // Set by a plugin server with several workers: each of them would accept the signature once.
  if (Number(environment.KONG_TS_WORKERS ?? 1) > 1) {
    throw new ConfigurationError('replay_store must be redis when the plugin server runs several workers');
  }
  return memory;
}
