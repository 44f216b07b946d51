import type { GatewayConfig, Service } from '../gateway/config/entities.js';
import type { HostAndPort } from './flags.js';

/** The service host that containers reach by this name, and that `dev` takes to another address. */
export const UPSTREAM_HOST = 'upstream';

/**
 * The same configuration with every service on the host `upstream` moved to `target`, so that one kong.yml serves
 * Kong in containers and the local gateway alike.
 */
export function withUpstreamAt(config: GatewayConfig, target: HostAndPort): GatewayConfig {
  const services = new Map(
    config.services.map((service) => [
      service,
      service.host === UPSTREAM_HOST ? { ...service, host: target.host, port: target.port } : service,
    ]),
  );
  const moved = (service: Service | undefined) => service && (services.get(service) ?? service);
  const routes = new Map(config.routes.map((route) => [route, { ...route, service: moved(route.service) }]));
  return {
    ...config,
    services: [...services.values()],
    routes: [...routes.values()],
    plugins: config.plugins.map((plugin) => ({
      ...plugin,
      service: moved(plugin.service),
      route: plugin.route && (routes.get(plugin.route) ?? plugin.route),
    })),
  };
}
