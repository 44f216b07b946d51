import { isUuid } from './ids.js';
import type { MapView } from './map-view.js';

/** The `id` of an entity, when the config gives one. */
export function readId(view: MapView): string | undefined {
  const id = view.string('id');
  if (id !== undefined && !isUuid(id)) {
    view.problems.add(view.get('id'), `${view.what}: id must be a UUID`);
    return undefined;
  }
  return id;
}

export function readTags(view: MapView): readonly string[] | undefined {
  return view.strings('tags')?.map(({ value }) => value);
}

/** A reference to another entity: its name or id as text, or `{ name: … }` / `{ id: … }`. */
export function readReference(view: MapView, key: string): string | undefined {
  const value = view.plain(key);
  if (value === undefined) {
    return undefined;
  }
  if (typeof value === 'string') {
    return value;
  }
  const { name, id } = (typeof value === 'object' ? value : {}) as { name?: unknown; id?: unknown };
  const reference = name ?? id;
  if (typeof reference === 'string') {
    return reference;
  }
  view.problems.add(view.get(key), `${view.what}: ${key} must be a name or an id`);
  return undefined;
}
