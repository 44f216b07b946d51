import type { EntityReader, ReadEntity } from './entity-reader.js';
import type { YamlSource } from './yaml-source.js';

/** Plugins whose outcome a guard in `post-function` checks, and the name in `kong.ctx.shared` that it looks for. */
const GUARDED: ReadonlyMap<string, string> = new Map([['customer-verification', 'customer_verified']]);

/**
 * Notes each `post-function` that would replace a guard: Kong runs one per request, the most specific, so that a route's
 * own takes the place of the global one and must make its check itself.
 */
export function noteLostGuards(reader: EntityReader, source: YamlSource): void {
  const plugins = reader.entities.filter(({ kind, value }) => kind === 'plugins' && value.enabled !== false);
  const posts = plugins.filter(({ value }) => value.name === 'post-function');
  const routes = reader.entities.filter(({ kind }) => kind === 'routes');
  for (const [name, mark] of GUARDED) {
    const guarded = plugins.filter(({ value }) => value.name === name);
    const lost = new Set<ReadEntity>();
    for (const route of routes) {
      if (!guarded.some((plugin) => isFor(plugin, route))) continue;
      const most = posts.filter((post) => isFor(post, route)).sort((a, b) => rank(b) - rank(a));
      // Those of consumers stand beside the one for everybody.
      const everybody = most.find((post) => !post.references.has('consumer'));
      for (const post of most) {
        if ((post === everybody || post.references.has('consumer')) && !checks(post, mark)) lost.add(post);
      }
    }
    for (const post of lost) {
      source.problems.noteAt(
        source.offsetOf([...post.path, 'name']),
        `${post.what}: runs in the place of any other post-function on a route with ${name}, and does not check ` +
          `kong.ctx.shared.${mark} in access: without that guard requests pass when the plugin server fails`,
      );
    }
  }
}

function isFor(plugin: ReadEntity, route: ReadEntity): boolean {
  const own = plugin.references.get('route');
  const service = plugin.references.get('service');
  return (
    (own === undefined || own === route) &&
    (service === undefined || service === route.references.get('service'))
  );
}

function rank({ references }: ReadEntity): number {
  return (references.has('route') ? 2 : 0) + (references.has('service') ? 1 : 0);
}

function checks({ value }: ReadEntity, mark: string): boolean {
  const { access } = (value.config ?? {}) as { access?: unknown };
  const looks = new RegExp(`kong\\.ctx\\.shared\\s*(\\.\\s*${mark}\\b|\\[\\s*["']${mark}["']\\s*\\])`);
  const withoutComments = (chunk: unknown) => String(chunk).replace(/--\[\[[\s\S]*?\]\]|--[^\n]*/g, '');
  return Array.isArray(access) && access.some((chunk) => looks.test(withoutComments(chunk)));
}
