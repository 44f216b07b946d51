import type { ConfigValidator } from './validate.js';

export type { PluginConfig } from './plugin-config.js';

/** The phases an external plugin may have, in the order in which Kong runs them. */
export const PHASES = ['certificate', 'rewrite', 'access', 'response', 'preread', 'log'] as const;

export type Phase = (typeof PHASES)[number];

/**
 * A phase handler: a method of the plugin's class, called once per event with the `kong` object. The parameter is
 * `never` so that handlers typed by kong-pdk's declarations and by ours are both assignable.
 */
export type PhaseHandler = (kong: never) => unknown;

/** One started plugin: the object that `new Plugin(config)` gave. */
export type PluginObject = { [phase in Phase]?: PhaseHandler } & {
  /** Called once when Kong closes the instance or it expires; errors are logged. Optional. */
  close?: () => unknown;
};

/**
 * A plugin's class. `Config` is what its constructor takes, such as `ConfigOf<typeof Schema>`; left out, it may be
 * anything, fields that must be there included.
 */
export type PluginClass<Config = never> = new (config: Config) => PluginObject;

/** One field of a plugin's schema, as Kong's own schemas write it: `{ message: { type: 'string' } }`. */
export type SchemaField = Record<string, unknown>;

/** One check across fields, with Kong's name for it as the only key: `{ at_least_one_of: ['a', 'b'] }`. */
export type EntityCheck = Record<string, unknown>;

/** A plugin as the server holds it: normalised from either export spelling. */
export interface PluginDefinition {
  /** The name that kong.conf and declarative config use: lower case. */
  readonly name: string;
  /** `x.y` or `x.y.z`. */
  readonly version: string;
  /** Kong runs higher numbers first. An integer. */
  readonly priority: number;
  /** The phases the class has methods for, in {@link PHASES} order. */
  readonly phases: readonly Phase[];
  /** The fields of the plugin's `config` record. */
  readonly schema: readonly SchemaField[];
  /** Kong's `entity_checks` of the `config` record, when the plugin declares any. */
  readonly entityChecks?: readonly EntityCheck[];
  /** The plugin cannot be configured for a consumer: Kong refuses such an entity. */
  readonly noConsumer?: boolean;
  /** Set where results of PDK functions come in the form of the stock server: see `--compat stock`. */
  readonly compat?: 'stock';
  readonly Plugin: PluginClass;
  /** Says what the schema cannot; see {@link ConfigValidator}. */
  readonly validate?: ConfigValidator;
  /** Loads, in a process that is going to serve, what the first request would otherwise wait for. */
  readonly prepare?: () => unknown;
  /** The file it came from; absent for `startDedicatedServer`. */
  readonly file?: string;
  /** Modification time of the file and time of loading, Unix seconds. */
  readonly modifiedAt: number;
  readonly loadedAt: number;
}
