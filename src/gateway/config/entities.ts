/** What every entity has. Fields have Kong's names throughout, and are absent where Kong has none. */
interface Entity {
  readonly id: string;
  readonly tags?: readonly string[];
  /** When the config was read, Unix seconds, unless it says otherwise. */
  readonly created_at: number;
  readonly updated_at: number;
}

/** A service of the declarative config, defaults filled in. Times in milliseconds. */
export interface Service extends Entity {
  readonly name?: string;
  readonly protocol: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly path?: string;
  readonly retries: number;
  readonly connect_timeout: number;
  readonly write_timeout: number;
  readonly read_timeout: number;
  readonly enabled: boolean;
}

export interface Route extends Entity {
  readonly name?: string;
  readonly service?: Service;
  readonly protocols: readonly ('http' | 'https')[];
  readonly methods?: readonly string[];
  readonly hosts?: readonly string[];
  /** Behind `~` a regex. */
  readonly paths?: readonly string[];
  /** A single value behind `~*` is a regex. */
  readonly headers?: Readonly<Record<string, readonly string[]>>;
  readonly strip_path: boolean;
  readonly preserve_host: boolean;
  readonly regex_priority: number;
  readonly https_redirect_status_code: number;
  readonly request_buffering: boolean;
}

export interface Consumer extends Entity {
  readonly username?: string;
  readonly custom_id?: string;
}

/** A name that services may have as their host, and what stands behind it. */
export interface Upstream extends Entity {
  readonly name: string;
  readonly host_header?: string;
}

export interface Target extends Entity {
  readonly upstream: Upstream;
  readonly target: string;
  readonly weight: number;
}

/** A plugin entity. Where it has no service, route or consumer it is global. */
export interface PluginEntity extends Entity {
  readonly name: string;
  readonly instance_name?: string;
  readonly enabled: boolean;
  readonly service?: Service;
  readonly route?: Route;
  readonly consumer?: Consumer;
  readonly protocols: readonly string[];
  /** Validated, with the schema's defaults. */
  readonly config: Record<string, unknown>;
}

export interface GatewayConfig {
  readonly services: readonly Service[];
  readonly routes: readonly Route[];
  readonly consumers: readonly Consumer[];
  readonly upstreams: readonly Upstream[];
  readonly targets: readonly Target[];
  readonly plugins: readonly PluginEntity[];
}

/** The workspace that a Kong without a database puts every entity in. */
export const WORKSPACE_ID = '0dc6f45b-8f8d-40d2-a504-473544ee190b';
