export { type Counter, type Gauge, type Histogram, type Labels, metrics } from './api/metrics.js';
export { openRawBody, type RawBody } from './api/raw-body.js';
export { quoted, RateLimiter, Reports, reports, type Severity } from './api/reports.js';
export { type Share, SharedResources } from './api/shared-resources.js';
export { startDedicatedServer } from './dedicated-server.js';
export { parseEnvFile } from './env-file.js';
export { PluginServerError } from './errors.js';
export { HandlerExit, PdkError, type PdkErrorCode } from './pdk/errors.js';
export { PDK_METHODS as pdkFunctions, type PdkMethod as PdkFunction } from './pdk/methods.js';
export type {
  Consumer,
  Credential,
  HeaderFields,
  Headers,
  HeaderValue,
  Kong,
  MemoryStats,
  Query,
  Route,
  Service,
  UriCaptures,
  VaultReference,
} from './pdk/types.js';
export type { Phase, PluginClass, PluginConfig, PluginObject, SchemaField } from './plugin/definition.js';
export type { ConfigOf, EntityCheck, Field, NamedField, PluginSchema } from './plugin/schema-types.js';
export type { ConfigProblem, ConfigValidator, ValidationContext } from './plugin/validate.js';
export { packageVersion } from './version.js';
