import { validateConfig } from '../../plugin/schema.js';
import { CHILDREN, ENTITY_KINDS, ROUTE_PROTOCOLS, SHORTHANDS } from './entity-schemas.js';
import { deriveId } from './ids.js';
import type { TextPosition } from './scalar-position.js';
import type { SourcePath, YamlSource } from './yaml-source.js';

type Dict = Record<string, unknown>;

/** An entity that was read: its fields checked and with their defaults, and what it refers to. */
export interface ReadEntity {
  readonly kind: string;
  /** For messages: `service "echo"`. */
  readonly what: string;
  readonly path: SourcePath;
  readonly id: string;
  /** As written. */
  readonly given: Dict;
  /** With defaults, without absent fields, references left out. */
  readonly value: Dict;
  /** By field. Resolved once everything has been read. */
  readonly references: Map<string, ReadEntity>;
  /** Undefined at the top level. */
  readonly parent: { readonly entity: ReadEntity; readonly field: string } | undefined;
  faulty: boolean;
}

/** Labels that are secrets, which no message may show. */
const UNNAMED = new Set(['keyauth_credentials', 'jwt_secrets', 'oauth2_credentials', 'oauth2_tokens']);

/**
 * Reads the entities of a declarative config, nested ones included, by the table of their kinds: types, required and
 * unknown fields, rules across fields, references and uniqueness, as Kong checks them.
 */
export class EntityReader {
  readonly entities: ReadEntity[] = [];
  readonly #byName = new Map<string, ReadEntity>();

  constructor(private readonly source: YamlSource) {}

  /** Reads the list under a key of the file or of an entity. */
  readList(kind: string, value: unknown, path: SourcePath, parent?: ReadEntity['parent']): void {
    if (value === null || isEmptyTable(value)) return;
    if (!Array.isArray(value)) {
      this.source.problems.addAt(this.source.offsetOf(path), `${path.join('.')}: expected an array`);
      return;
    }
    for (const [index, item] of value.entries()) {
      const at = [...path, index];
      if (isEmptyTable(item)) this.#readEntity(kind, {}, at, parent);
      else if (typeof item === 'object' && item !== null && !Array.isArray(item)) {
        this.#readEntity(kind, item as Dict, at, parent);
      } else {
        this.source.problems.addAt(
          this.source.offsetOf(at),
          `${singular(kind)} #${index + 1}: expected a record`,
        );
      }
    }
  }

  /** Adds a fault of an entity at a path inside it, and where it is a text, at a place in that. */
  fault(entity: ReadEntity, at: SourcePath, message: string, inside?: TextPosition): void {
    entity.faulty = true;
    this.#report(entity.what, entity.path, at, message, inside);
  }

  /** Adds a note about an entity, placed as a fault is. */
  note(entity: ReadEntity, at: SourcePath, message: string, inside?: TextPosition): void {
    const { offset, text } = this.#place(entity.what, entity.path, at, message, inside);
    this.source.problems.noteAt(offset, text);
  }

  #report(what: string, path: SourcePath, at: SourcePath, message: string, inside?: TextPosition): void {
    const { offset, text } = this.#place(what, path, at, message, inside);
    this.source.problems.addAt(offset, text);
  }

  #place(what: string, path: SourcePath, at: SourcePath, message: string, inside?: TextPosition) {
    const shown = at
      .filter((part) => part !== '@entity')
      .reduce<string>((text, part) => {
        if (typeof part === 'number') return `${text}[${part}]`;
        return text === '' ? part : `${text}.${part}`;
      }, '');
    const full = [...path, ...at];
    const exact = inside && this.source.offsetInside(full, inside);
    const offset = exact ?? this.source.offsetOf(full, message.startsWith('unknown field'));
    // Where YAML joins lines, the place in the text is all there is to say.
    const where =
      inside && exact === undefined ? ` (line ${inside.line}, column ${inside.column} of the text)` : '';
    return { offset, text: `${what}: ${shown === '' ? '' : `${shown}: `}${message}${where}` };
  }

  #readEntity(kind: string, given: Dict, path: SourcePath, parent: ReadEntity['parent']): void {
    const { fields, checks, label, references, idFrom } = kindOf(kind);
    const name = UNNAMED.has(kind) ? undefined : (given[label] ?? given.custom_id);
    const index = path.at(-1) as number;
    const what = `${singular(kind)} ${typeof name === 'string' && name !== '' ? `"${name}"` : `#${index + 1}`}`;
    const children = CHILDREN.get(kind) ?? new Map<string, string>();
    const own: Dict = {};
    for (const [key, value] of Object.entries(SHORTHANDS[kind]?.(given) ?? given)) {
      if (!children.has(key) && !(key in references)) own[key] = value;
    }
    for (const extra of ['_comment', '_ignore']) delete own[extra];
    // The config of a plugin has a schema of its own.
    if (kind === 'plugins' && typeof own.config === 'object' && own.config !== null) own.config = {};
    const { config: value, errors } = validateConfig(fields, own, checks);
    const id =
      typeof given.id === 'string' ? given.id : deriveId(kind, idKey(kind, idFrom, given, path, parent));
    const entity: ReadEntity = {
      ...{ kind, what, path, id, given, value, parent, references: new Map(), faulty: errors.length > 0 },
    };
    for (const { segments, message } of errors) this.#report(what, path, segments, message);
    if (idFrom.length === 1 && given[idFrom[0] as string] === null && given.id === undefined) {
      this.fault(entity, idFrom, 'Kong fails on null here: leave it out');
    }
    checkMeta(given, (at, message) => this.fault(entity, at, message));
    if (kind === 'routes') this.#checkRouteProtocols(entity);
    this.entities.push(entity);
    this.#register(entity);
    for (const [child, field] of children) {
      if (given[child] !== undefined) this.readList(child, given[child], [...path, child], { entity, field });
    }
  }

  #checkRouteProtocols(entity: ReadEntity): void {
    const { protocols } = entity.value;
    if (entity.faulty || !Array.isArray(protocols)) return;
    const secure = protocols.find((name) => name === 'https' || name === 'grpcs');
    const first = String(secure ?? protocols[0]);
    const rule = ROUTE_PROTOCOLS[first];
    const isSet = (field: string) => {
      const value = entity.value[field];
      return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
    };
    for (const field of rule?.forbidden ?? []) {
      if (entity.value[field] !== undefined) {
        this.fault(entity, [field], `cannot set '${field}' when 'protocols' is '${first}'`);
      }
    }
    const named = protocols.some((name) => ['grpcs', 'https', 'tls', 'tls_passthrough'].includes(name));
    if (!named && isSet('snis')) {
      this.fault(
        entity,
        ['snis'],
        "can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'",
      );
    }
    if (first.startsWith('grpc') && entity.given.strip_path === true) {
      this.fault(entity, ['strip_path'], "cannot set 'strip_path' when 'protocols' is 'grpc' or 'grpcs'");
    }
    if (rule !== undefined && !rule.needsOneOf.some(isSet)) {
      const names = rule.needsOneOf.map((field) => `'${field}'`).join(', ');
      this.fault(entity, [], `must set one of ${names} when 'protocols' is '${first}'`);
    }
  }

  #register(entity: ReadEntity): void {
    const { kind, given, id } = entity;
    const claim = (field: string, value: string): boolean => {
      const key = `${kind}/${field}/${value}`;
      if (this.#byName.has(key)) {
        const { idFrom } = kindOf(kind);
        const shared = field === 'id' && given.id === undefined ? idFrom.join(', ') : field;
        this.fault(entity, [], `there is one already with this ${shared}`);
        return false;
      }
      this.#byName.set(key, entity);
      return true;
    };
    const named = kindOf(kind).unique.every((field) => {
      const value = given[field];
      return typeof value !== 'string' || value === '' || claim(field, value);
    });
    if (named && kind !== 'parameters') claim('id', id);
  }

  /** Resolves every reference, once everything has been read. */
  resolve(): void {
    for (const entity of this.entities) {
      const { references, required } = kindOf(entity.kind);
      for (const [field, kind] of Object.entries(references)) {
        const value = entity.given[field] ?? undefined;
        const isParent = entity.parent?.field === field;
        if (value === undefined) {
          if (required.includes(field) && !isParent) this.fault(entity, [field], 'required field missing');
        } else {
          const found = this.#find(kind, value);
          if (typeof found === 'string') this.fault(entity, [field], found);
          else entity.references.set(field, found);
        }
        if (isParent && entity.parent !== undefined) entity.references.set(field, entity.parent.entity);
      }
    }
  }

  /** What a reference leads to, or what is wrong with it. */
  #find(kind: string, value: unknown): ReadEntity | string {
    if (value === '') return 'length must be at least 1';
    const isTable = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (typeof value !== 'string' && !isTable) return 'expected a string';
    const id = isTable ? (value as Dict).id : value;
    if (typeof id !== 'string') return 'expected a name, or an id as { id: … }: its primary key is missing';
    const name = kindOf(kind).unique[0];
    const byName = isTable || name === undefined ? undefined : this.#byName.get(`${kind}/${name}/${id}`);
    return byName ?? this.#byName.get(`${kind}/id/${id}`) ?? `there is no ${singular(kind)} "${id}"`;
  }
}

/** `_comment` and `_ignore`, which every entity and the file itself may have. */
export function checkMeta(given: Dict, fault: (at: SourcePath, message: string) => void): void {
  const { _comment: comment, _ignore: ignore } = given;
  if (comment !== undefined && comment !== null && (typeof comment !== 'string' || comment === '')) {
    fault(['_comment'], 'expected a string');
  }
  if (ignore !== undefined && ignore !== null && !Array.isArray(ignore) && !isEmptyTable(ignore)) {
    fault(['_ignore'], 'expected an array');
  }
}

/** What an id is derived from, in the form that Kong uses. Without a name it is the place in the file. */
function idKey(
  kind: string,
  idFrom: readonly string[],
  given: Dict,
  path: SourcePath,
  parent: ReadEntity['parent'],
): string {
  const parts = idFrom.map((field) => {
    const value = parent?.field === field ? parent.entity.id : given[field];
    const id = typeof value === 'object' && value !== null ? (value as Dict).id : value;
    return typeof id === 'string' ? id : '';
  });
  if (parts[0] === undefined || parts[0] === '') return `#${path.join('.')}`;
  return idFrom.length === 1 ? parts[0] : [kind, '*', ...parts].join(':');
}

function kindOf(kind: string) {
  const found = ENTITY_KINDS[kind];
  if (found === undefined) throw new TypeError(`${kind} is no kind of entity`);
  return found;
}

/** `route` for `routes`. */
export function singular(kind: string): string {
  return kind.replace(/ies$/, 'y').replace(/s$/, '');
}

/** Lua has one empty table, which is a list as well as a mapping. */
export function isEmptyTable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
