import type { RouteRegex } from '../router/rust-regex.js';

/** A service of the declarative config, defaults filled in. Times in milliseconds. */
export interface Service {
  readonly id: string;
  readonly name: string | undefined;
  readonly protocol: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly path: string | undefined;
  readonly retries: number;
  readonly connectTimeout: number;
  readonly writeTimeout: number;
  readonly readTimeout: number;
  readonly enabled: boolean;
  readonly tags: readonly string[] | undefined;
}

/** One entry of a route's `paths`. */
export interface RoutePath {
  /** As written, `~` of a regex included. */
  readonly text: string;
  /** What a path has to begin with, one char per byte; unused with a regex. */
  readonly prefix: string;
  /** Undefined for a prefix. */
  readonly regex: RouteRegex | undefined;
}

export interface Route {
  readonly id: string;
  readonly name: string | undefined;
  readonly service: Service | undefined;
  readonly protocols: readonly ('http' | 'https')[];
  readonly methods: readonly string[];
  readonly hosts: readonly string[];
  readonly paths: readonly RoutePath[];
  /** Names in lower case. A single value starting with `~*` is a regex. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly stripPath: boolean;
  readonly preserveHost: boolean;
  readonly regexPriority: number;
  readonly httpsRedirectStatusCode: number;
  readonly requestBuffering: boolean;
  readonly responseBuffering: boolean;
  /** Shown by the PDK; Kong's default router makes nothing of it. */
  readonly pathHandling: string;
  readonly tags: readonly string[] | undefined;
}

export interface Consumer {
  readonly id: string;
  readonly username: string | undefined;
  readonly customId: string | undefined;
  readonly tags: readonly string[] | undefined;
}

/** A name that services may have as their host, and what stands behind it. */
export interface Upstream {
  readonly name: string;
  readonly hostHeader: string | undefined;
  readonly targets: { readonly target: string; readonly weight: number }[];
}

/** A plugin entity. Where it has no service, route or consumer it is global. */
export interface PluginEntity {
  readonly id: string;
  readonly name: string;
  readonly instanceName: string | undefined;
  readonly enabled: boolean;
  readonly service: Service | undefined;
  readonly route: Route | undefined;
  readonly consumer: Consumer | undefined;
  readonly protocols: readonly string[];
  readonly tags: readonly string[] | undefined;
  /** Validated, with the schema's defaults. */
  readonly config: Record<string, unknown>;
}

export interface GatewayConfig {
  readonly services: readonly Service[];
  readonly routes: readonly Route[];
  readonly consumers: readonly Consumer[];
  readonly upstreams: readonly Upstream[];
  readonly plugins: readonly PluginEntity[];
  /** When the config was read, Unix seconds: `created_at` and `updated_at` of every entity. */
  readonly loadedAt: number;
}

/** The workspace that a Kong without a database puts every entity in. */
export const WORKSPACE_ID = '0dc6f45b-8f8d-40d2-a504-473544ee190b';
