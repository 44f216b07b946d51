export { type Counter, type Gauge, type Histogram, type Labels, metrics } from './api/metrics.js';
export { quoted, RateLimiter, Reports, reports, type Severity } from './api/reports.js';
export { type Share, SharedResources } from './api/shared-resources.js';
export { startDedicatedServer } from './dedicated-server.js';
export { PluginServerError } from './errors.js';
export { HandlerExit, PdkError, type PdkErrorCode } from './pdk/errors.js';
export type { Consumer, Credential, Kong } from './pdk/types.js';
export type { Phase, PluginClass, PluginConfig, PluginObject, SchemaField } from './plugin/definition.js';
export { packageVersion } from './version.js';
