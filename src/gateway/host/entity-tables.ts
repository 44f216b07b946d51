import { type Consumer, type Route, type Service, WORKSPACE_ID } from '../config/entities.js';
import type { LuaTable } from '../plugin-port.js';
import { luaFromJson } from './body.js';

/** A consumer as an entity of Kong's. */
export function consumerTable(consumer: Consumer): LuaTable {
  return luaFromJson(consumer) as LuaTable;
}

/** A route or a service as `kong.router` and the log serializer show it. */
export function entityTable(entity: Route | Service): LuaTable {
  const owner = 'service' in entity ? { service: { id: entity.service?.id } } : {};
  return luaFromJson({ ...entity, ...owner, ws_id: WORKSPACE_ID }) as LuaTable;
}
