/** What Kong passes to a plugin's constructor: the `config` of the plugin entity, plus Kong's own `__…` keys. */
export type PluginConfig = Record<string, unknown>;
