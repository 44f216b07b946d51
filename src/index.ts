export { startDedicatedServer } from './dedicated-server.js';
export { PluginServerError } from './errors.js';
export { HandlerExit, PdkError, type PdkErrorCode } from './pdk/errors.js';
export type { Consumer, Credential, Kong } from './pdk/types.js';
export type { Phase, PluginClass, PluginConfig, PluginObject, SchemaField } from './plugin/definition.js';
export { packageVersion } from './version.js';
