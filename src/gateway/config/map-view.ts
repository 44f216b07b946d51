import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Scalar, type YAMLMap } from 'yaml';
import type { ProblemList } from './problems.js';

/**
 * A YAML mapping read field by field: every getter checks the type, notes a problem where it is wrong and marks
 * the field as known, so that {@link finish} can name those that nobody asked for.
 */
export class MapView {
  readonly #known = new Set<string>();
  readonly #nodes = new Map<string, Node | null>();
  readonly #keys = new Map<string, Scalar>();

  constructor(
    readonly node: YAMLMap,
    /** What the mapping is, for messages: `service "echo"`. */
    public what: string,
    private readonly document: Document,
    readonly problems: ProblemList,
  ) {
    for (const item of node.items) {
      if (isScalar(item.key)) {
        const key = String(item.key.value);
        this.#nodes.set(key, this.#resolve(item.value as Node | null));
        this.#keys.set(key, item.key);
      }
    }
  }

  #resolve(node: Node | null): Node | null {
    return isAlias(node) ? ((node.resolve(this.document) as Node | undefined) ?? null) : node;
  }

  keys(): string[] {
    return [...this.#nodes.keys()];
  }

  /** Where to point at for a field: its key, or the mapping when it is absent. */
  at(key: string): Node {
    return this.#keys.get(key) ?? this.node;
  }

  /** The field's node; undefined when absent or null. */
  get(key: string): Node | undefined {
    this.#known.add(key);
    const node = this.#nodes.get(key);
    return node === null || node === undefined || (isScalar(node) && node.value === null) ? undefined : node;
  }

  #scalar<T>(key: string, kind: string, accept: (value: unknown) => value is T): T | undefined {
    const node = this.get(key);
    if (node === undefined) {
      return undefined;
    }
    if (isScalar(node) && accept(node.value)) {
      return node.value;
    }
    this.problems.add(node, `${this.what}: ${key} must be ${kind}`);
    return undefined;
  }

  string(key: string): string | undefined {
    const text = this.#scalar(key, 'a string', (value): value is string => typeof value === 'string');
    if (text === '') {
      this.problems.add(this.get(key), `${this.what}: ${key} must not be empty`);
      return undefined;
    }
    return text;
  }

  boolean(key: string): boolean | undefined {
    return this.#scalar(key, 'true or false', (value): value is boolean => typeof value === 'boolean');
  }

  integer(key: string, min: number, max: number): number | undefined {
    const accept = (value: unknown): value is number =>
      Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
    return this.#scalar(key, `an integer from ${min} to ${max}`, accept);
  }

  /** The items of a list with aliases resolved; undefined when the field is absent or no list. */
  list(key: string): Node[] | undefined {
    const node = this.get(key);
    if (node === undefined) {
      return undefined;
    }
    if (!isSeq(node)) {
      this.problems.add(node, `${this.what}: ${key} must be a list`);
      return undefined;
    }
    return node.items.map((item) => this.#resolve(item as Node)).filter((item) => item !== null);
  }

  strings(key: string): { value: string; node: Node }[] | undefined {
    return this.list(key)?.flatMap((node) => {
      if (isScalar(node) && typeof node.value === 'string') {
        return [{ value: node.value, node }];
      }
      this.problems.add(node, `${this.what}: every entry of ${key} must be a string`);
      return [];
    });
  }

  /** The mappings in a list: the entities of `services:` and the like. */
  maps(key: string, what: string): MapView[] {
    return (this.list(key) ?? []).flatMap((node) => {
      const view = this.asMap(node, what);
      return view === undefined ? [] : [view];
    });
  }

  map(key: string): MapView | undefined {
    const node = this.get(key);
    return node === undefined ? undefined : this.asMap(node, `${this.what}: ${key}`);
  }

  asMap(node: Node, what: string): MapView | undefined {
    if (isMap(node)) {
      return new MapView(node, what, this.document, this.problems);
    }
    this.problems.add(node, `${what} must be a mapping`);
    return undefined;
  }

  /** The plain value of a field, for what has a schema of its own. */
  plain(key: string): unknown {
    return this.get(key)?.toJS(this.document);
  }

  /** Marks a field as known without reading it. */
  accept(...keys: string[]): void {
    for (const key of keys) {
      this.#known.add(key);
    }
  }

  /**
   * Reports every field that was not asked for.
   *
   * @param notEmulated fields that Kong has and this gateway has not
   */
  finish(notEmulated: readonly string[] = []): void {
    for (const key of this.#nodes.keys()) {
      if (this.#known.has(key)) {
        continue;
      }
      const message = notEmulated.includes(key)
        ? `${key} is not emulated by the local gateway`
        : `unknown field ${key}`;
      this.problems.add(this.at(key), `${this.what}: ${message}`);
    }
  }
}
