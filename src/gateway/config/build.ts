import type { GatewayConfig } from './entities.js';
import type { ReadEntity } from './entity-reader.js';
import { ENTITY_KINDS } from './entity-schemas.js';
import type { YamlSource } from './yaml-source.js';

type Kind = keyof GatewayConfig;

/** What the gateway works with, each kind behind those that it refers to. */
const KINDS: readonly Kind[] = ['services', 'routes', 'consumers', 'upstreams', 'targets', 'plugins'];
const OWNERS = ['service', 'route', 'consumer', 'upstream'];

const noEffect = (value: unknown, field: string): string | undefined =>
  value === undefined || value === null ? undefined : `${field} has no effect in the local gateway`;

/** Fields that are checked and mean less here than in Kong, by kind: what to note of a value. */
const NOTES: Readonly<Record<string, Readonly<Record<string, typeof noEffect>>>> = {
  services: {
    ...{
      client_certificate: noEffect,
      tls_verify: noEffect,
      tls_verify_depth: noEffect,
      ca_certificates: noEffect,
    },
    protocol: httpOnly,
  },
  routes: {
    snis: noEffect,
    protocols: httpOnly,
    path_handling: (value) =>
      value === 'v1' ? "path_handling v1 does nothing in Kong's default router" : undefined,
  },
  upstreams: {
    ...{ client_certificate: noEffect, healthchecks: noEffect, hash_on: noEffect, hash_fallback: noEffect },
    use_srv_name: noEffect,
    algorithm: (value) =>
      value === undefined || value === 'round-robin'
        ? undefined
        : `${String(value)} is round-robin in the local gateway`,
  },
};

const isHttp = (protocols: unknown) => [protocols].flat().some((name) => name === 'http' || name === 'https');

function httpOnly(protocols: unknown): string | undefined {
  if (protocols === undefined || protocols === null || isHttp(protocols)) return undefined;
  return `${[protocols].flat().join(', ')} is not emulated by the local gateway: plain HTTP only`;
}

/** What the gateway works with, made of what was read; notes what it leaves out. */
export function buildConfig(entities: readonly ReadEntity[], source: YamlSource): GatewayConfig {
  const now = Math.floor(Date.now() / 1000);
  const config: Record<Kind, object[]> = Object.fromEntries(KINDS.map((kind) => [kind, []])) as never;
  const made = new Map<ReadEntity, object>();
  const note = ({ path }: ReadEntity, at: readonly string[], message: string) =>
    source.problems.noteAt(source.offsetOf([...path, ...at], true), message);
  for (const kind of KINDS) {
    for (const entity of entities) {
      if (entity.kind !== kind || entity.faulty) continue;
      const { value, given, what, id, references } = entity;
      for (const [field, said] of Object.entries(NOTES[kind] ?? {})) {
        const text = said(given[field], field);
        if (text !== undefined) note(entity, [field], `${what}: ${text}`);
      }
      if (kind !== 'plugins' && !isHttp(value.protocols ?? value.protocol ?? 'http')) continue;
      const owners = OWNERS.flatMap((field) => {
        const owner = references.get(field);
        return owner === undefined ? [] : [[field, made.get(owner)] as const];
      });
      // What belongs to something that is left out is left out, too: it would be for everything otherwise.
      if (owners.some(([, owner]) => owner === undefined)) continue;
      const built = { created_at: now, updated_at: now, ...value, id, ...Object.fromEntries(owners) };
      made.set(entity, built);
      config[kind].push(built);
    }
  }
  for (const [kind, { emulated }] of Object.entries(ENTITY_KINDS)) {
    const [first, ...others] = entities.filter((entity) => entity.kind === kind);
    if (emulated || first === undefined) continue;
    const count = others.length === 0 ? 'one' : String(others.length + 1);
    note(first, [], `${kind}: ${count}, not emulated by the local gateway`);
  }
  return config as unknown as GatewayConfig;
}
