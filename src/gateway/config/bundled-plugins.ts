// biome-ignore lint/correctness/useImportExtensions: a file of data
import data from './kong-plugins.json' with { type: 'json' };

/** What `check` knows of a plugin that comes with Kong. */
export interface BundledPlugin {
  /** It cannot be configured for a consumer. */
  readonly noConsumer?: boolean;
  /** It takes the protocols of HTTP only. */
  readonly httpOnly?: boolean;
  /** Fields of its config that have to be given. */
  readonly required?: readonly string[];
}

/**
 * Kong 3.9's bundled plugins. Of their configuration only the required fields are known here; `pre-function` and
 * `post-function`, which run in the local gateway, are elsewhere.
 */
export const BUNDLED_PLUGINS: ReadonlyMap<string, BundledPlugin> = new Map(Object.entries(data));
