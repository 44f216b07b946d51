import type { KongClient } from './types/client.js';
import type { KongLog } from './types/log.js';
import type { KongNginx, KongNode } from './types/nginx.js';
import type { KongRequest } from './types/request.js';
import type { KongResponse } from './types/response.js';
import type {
  KongCluster,
  KongCtx,
  KongEnterpriseEdition,
  KongIp,
  KongPlugin,
  KongRouter,
  KongTelemetry,
  KongVault,
} from './types/rest.js';
import type { KongService } from './types/service.js';

export type {
  Consumer,
  Credential,
  HeaderFields,
  Headers,
  HeaderValue,
  MemoryStats,
  Query,
  Route,
  Service,
  UriCaptures,
  VaultReference,
} from './types/values.js';

/**
 * The object every phase handler gets: Kong's Plugin Development Kit. Good for one event.
 *
 * A function returns a promise of its value alone and throws a `PdkError` where Kong answers an error; what is absent
 * is undefined. One without a result need not be awaited. Every function is there under its snake_case name, too, which
 * is not declared; over MsgPack:1 so is any other name that Kong knows.
 */
export interface Kong {
  client: KongClient;
  cluster: KongCluster;
  ctx: KongCtx;
  enterpriseEdition: KongEnterpriseEdition;
  ip: KongIp;
  log: KongLog;
  nginx: KongNginx;
  node: KongNode;
  plugin: KongPlugin;
  request: KongRequest;
  response: KongResponse;
  router: KongRouter;
  service: KongService;
  telemetry: KongTelemetry;
  vault: KongVault;
}
