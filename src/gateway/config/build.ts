import { RouteRegex } from '../router/rust-regex.js';
import type {
  Consumer,
  GatewayConfig,
  PluginEntity,
  Route,
  RoutePath,
  Service,
  Upstream,
} from './entities.js';
import type { ReadEntity } from './entity-reader.js';
import { ENTITY_KINDS } from './entity-schemas.js';
import type { YamlSource } from './yaml-source.js';

/** Fields that are checked and have no effect in the local gateway, by kind; a note is made where one is set. */
const WITHOUT_EFFECT: Readonly<Record<string, readonly string[]>> = {
  services: ['client_certificate', 'tls_verify', 'tls_verify_depth', 'ca_certificates'],
  routes: ['snis'],
  upstreams: ['client_certificate', 'healthchecks', 'hash_on', 'hash_fallback', 'use_srv_name'],
};

/** What the gateway works with, made of what was read; notes what it leaves out. */
export function buildConfig(entities: readonly ReadEntity[], source: YamlSource): GatewayConfig {
  const builder = new Builder(source);
  for (const kind of ['services', 'routes', 'consumers', 'upstreams', 'plugins']) {
    for (const entity of entities) {
      if (entity.kind === kind && !entity.faulty) builder.add(entity);
    }
  }
  builder.addTargets(entities.filter(({ kind, faulty }) => kind === 'targets' && !faulty));
  for (const [kind, { emulated }] of Object.entries(ENTITY_KINDS)) {
    const [first, ...others] = entities.filter((entity) => entity.kind === kind);
    if (emulated || first === undefined) continue;
    const count = others.length === 0 ? 'one' : String(others.length + 1);
    builder.note(first, [], `${kind}: ${count}, not emulated by the local gateway`);
  }
  return builder.config;
}

class Builder {
  readonly #services = new Map<ReadEntity, Service>();
  readonly #routes = new Map<ReadEntity, Route>();
  readonly #consumers = new Map<ReadEntity, Consumer>();
  readonly #upstreams = new Map<ReadEntity, Upstream>();
  readonly #plugins: PluginEntity[] = [];

  constructor(private readonly source: YamlSource) {}

  get config(): GatewayConfig {
    return {
      services: [...this.#services.values()],
      routes: [...this.#routes.values()],
      consumers: [...this.#consumers.values()],
      upstreams: [...this.#upstreams.values()],
      plugins: this.#plugins,
      loadedAt: Math.floor(Date.now() / 1000),
    };
  }

  note(entity: ReadEntity, at: readonly string[], message: string): void {
    this.source.problems.noteAt(this.source.offsetOf([...entity.path, ...at], true), message);
  }

  add(entity: ReadEntity): void {
    const { kind, what, given } = entity;
    for (const field of WITHOUT_EFFECT[kind] ?? []) {
      if (given[field] !== undefined && given[field] !== null) {
        this.note(entity, [field], `${what}: ${field} has no effect in the local gateway`);
      }
    }
    if (kind === 'services') this.#addService(entity);
    else if (kind === 'routes') this.#addRoute(entity);
    else if (kind === 'plugins') this.#addPlugin(entity);
    else if (kind === 'upstreams') this.#addUpstream(entity);
    else this.#consumers.set(entity, consumerOf(entity));
  }

  #addService(entity: ReadEntity): void {
    const { value, what } = entity;
    const protocol = String(value.protocol);
    if (!isHttp(protocol)) {
      this.note(entity, ['protocol'], `${what}: ${protocol} is not emulated by the local gateway: HTTP only`);
      return;
    }
    this.#services.set(entity, {
      ...common(entity),
      protocol,
      host: String(value.host),
      port: value.port as number,
      path: value.path as string | undefined,
      retries: value.retries as number,
      connectTimeout: value.connect_timeout as number,
      writeTimeout: value.write_timeout as number,
      readTimeout: value.read_timeout as number,
      enabled: value.enabled === true,
    });
  }

  #addRoute(entity: ReadEntity): void {
    const { value, what } = entity;
    const owner = entity.references.get('service');
    const service = owner === undefined ? undefined : this.#services.get(owner);
    const protocols = (value.protocols as string[]).filter(isHttp);
    if (protocols.length === 0) {
      const names = (value.protocols as string[]).join(', ');
      this.note(
        entity,
        ['protocols'],
        `${what}: ${names} is not emulated by the local gateway: plain HTTP only`,
      );
      return;
    }
    if (owner !== undefined && service === undefined) return;
    if (value.path_handling === 'v1') {
      this.note(entity, ['path_handling'], `${what}: path_handling v1 does nothing in Kong's default router`);
    }
    const headers = Object.entries((value.headers ?? {}) as Record<string, string[]>);
    this.#routes.set(entity, {
      ...common(entity),
      service,
      protocols,
      methods: strings(value.methods),
      hosts: strings(value.hosts),
      paths: strings(value.paths).map(routePath),
      headers: new Map(headers.map(([name, values]) => [name.toLowerCase().replaceAll('_', '-'), values])),
      stripPath: value.strip_path === true,
      preserveHost: value.preserve_host === true,
      regexPriority: value.regex_priority as number,
      httpsRedirectStatusCode: value.https_redirect_status_code as number,
      requestBuffering: value.request_buffering === true,
      responseBuffering: value.response_buffering === true,
      pathHandling: String(value.path_handling),
    });
  }

  #addUpstream(entity: ReadEntity): void {
    const { value, what } = entity;
    if (value.algorithm !== 'round-robin') {
      const algorithm = String(value.algorithm);
      this.note(entity, ['algorithm'], `${what}: ${algorithm} is round-robin in the local gateway`);
    }
    const name = String(value.name);
    this.#upstreams.set(entity, { name, hostHeader: value.host_header as string | undefined, targets: [] });
  }

  addTargets(targets: readonly ReadEntity[]): void {
    for (const target of targets) {
      const owner = target.references.get('upstream');
      const upstream = owner === undefined ? undefined : this.#upstreams.get(owner);
      upstream?.targets.push({ target: String(target.value.target), weight: target.value.weight as number });
    }
  }

  #addPlugin(entity: ReadEntity): void {
    const { value, references } = entity;
    const scope = (field: string) => references.get(field);
    const route = scope('route');
    const service = scope('service');
    const consumer = scope('consumer');
    const plugin: PluginEntity = {
      ...common(entity),
      name: String(value.name),
      instanceName: value.instance_name as string | undefined,
      enabled: value.enabled === true,
      service: service && this.#services.get(service),
      route: route && this.#routes.get(route),
      consumer: consumer && this.#consumers.get(consumer),
      protocols: strings(value.protocols),
      config: value.config as Record<string, unknown>,
    };
    // Where its scope is not emulated it would otherwise be a global one.
    const lost = (['service', 'route', 'consumer'] as const).some(
      (field) => scope(field) !== undefined && plugin[field] === undefined,
    );
    if (!lost) this.#plugins.push(plugin);
  }
}

const isHttp = (protocol: string): protocol is 'http' | 'https' => /^https?$/.test(protocol);
const strings = (value: unknown): string[] => (Array.isArray(value) ? (value as string[]) : []);

function common({ id, value }: ReadEntity) {
  return {
    id,
    name: value.name as string | undefined,
    tags: value.tags as readonly string[] | undefined,
  };
}

function consumerOf({ id, value }: ReadEntity): Consumer {
  return {
    id,
    username: value.username as string | undefined,
    customId: value.custom_id as string | undefined,
    tags: value.tags as readonly string[] | undefined,
  };
}

/** Paths and expressions are matched against bytes. */
function routePath(text: string): RoutePath {
  return text.startsWith('~')
    ? { text, prefix: '', regex: new RouteRegex(`^${text.slice(1)}`) }
    : { text, prefix: Buffer.from(text, 'utf8').toString('latin1'), regex: undefined };
}
