import { type GatewayConfig, type Route, type Service, WORKSPACE_ID } from '../config/entities.js';
import type { LuaTable } from '../plugin-port.js';

/** A table without its absent fields. */
function compact(table: LuaTable): LuaTable {
  return Object.fromEntries(Object.entries(table).filter(([, value]) => value !== undefined));
}

const listOrNil = (list: readonly string[] | undefined) =>
  list === undefined || list.length === 0 ? undefined : [...list];

/** A route as `kong.router.get_route` and the log serializer show it. */
export function routeTable(route: Route, { loadedAt }: GatewayConfig): LuaTable {
  return compact({
    id: route.id,
    created_at: loadedAt,
    updated_at: loadedAt,
    name: route.name,
    protocols: [...route.protocols],
    methods: listOrNil(route.methods),
    hosts: listOrNil(route.hosts),
    paths: listOrNil(route.paths.map(({ text }) => text)),
    headers:
      route.headers.size === 0
        ? undefined
        : Object.fromEntries([...route.headers].map(([name, values]) => [name, [...values]])),
    https_redirect_status_code: route.httpsRedirectStatusCode,
    regex_priority: route.regexPriority,
    strip_path: route.stripPath,
    preserve_host: route.preserveHost,
    path_handling: route.pathHandling,
    request_buffering: route.requestBuffering,
    response_buffering: route.responseBuffering,
    tags: listOrNil(route.tags),
    service: route.service === undefined ? undefined : { id: route.service.id },
    ws_id: WORKSPACE_ID,
  });
}

/** A service as `kong.router.get_service` and the log serializer show it. */
export function serviceTable(service: Service, { loadedAt }: GatewayConfig): LuaTable {
  return compact({
    id: service.id,
    created_at: loadedAt,
    updated_at: loadedAt,
    name: service.name,
    retries: service.retries,
    protocol: service.protocol,
    host: service.host,
    port: service.port,
    path: service.path,
    connect_timeout: service.connectTimeout,
    write_timeout: service.writeTimeout,
    read_timeout: service.readTimeout,
    enabled: service.enabled,
    tags: listOrNil(service.tags),
    ws_id: WORKSPACE_ID,
  });
}
