import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type Scalar } from 'yaml';
import { ProblemList } from './problems.js';
import { offsetInFile, type TextPosition } from './scalar-position.js';

/** Keys and indexes that lead from the whole file to a value in it. */
export type SourcePath = readonly (string | number)[];

type Place = { readonly key: Scalar | undefined; readonly value: Node | null };

// biome-ignore lint/suspicious/noControlCharactersInRegex: YAML forbids them
const CONTROL = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/;
const TAG = 'tag:yaml.org,2002:';

/**
 * A declarative config as Kong reads it, which is YAML 1.1 with a few habits of its own: `yes` and `on` are true,
 * `010` is eight, `1:30` is ninety, the later of two equal keys wins, and `<<` merges without overwriting.
 */
export class YamlSource {
  readonly problems: ProblemList;
  /** Undefined when the text is no YAML; the reasons are in {@link problems}. */
  readonly value: unknown;
  readonly #root: Node | null;
  readonly #places = new WeakMap<object, Map<string | number, Place>>();
  readonly #values = new Map<Node, unknown>();
  readonly #anchors = new Map<string, Node>();

  constructor(
    readonly text: string,
    file: string,
  ) {
    const lines = new LineCounter();
    const document = parseDocument(text, {
      lineCounter: lines,
      version: '1.1',
      schema: 'failsafe',
      uniqueKeys: false,
      logLevel: 'error',
    });
    this.problems = new ProblemList(file, lines);
    const control = CONTROL.exec(text);
    if (control !== null) this.problems.addAt(control.index, 'control characters are not allowed');
    for (const { pos, message, code } of document.errors) {
      // Kong reads the first document and leaves the rest.
      if (code === 'MULTIPLE_DOCS') continue;
      const reason = (message.split('\n')[0] as string).replace(/ at line \d+, column \d+:?$/, '');
      this.problems.addAt(pos[0], reason);
    }
    this.#root = document.contents;
    this.value = this.problems.list.length > 0 ? undefined : this.#convert(this.#root);
  }

  /** The node of the value at a path; null for an empty value, undefined where there is none. */
  nodeAt(path: SourcePath): Node | null | undefined {
    return path.length === 0 ? this.#root : this.#placeOf(path)?.value;
  }

  /** Where to point at: the value, its key when it has none or `atKey` is given, else what would contain it. */
  offsetOf(path: SourcePath, atKey = false): number {
    for (let length = path.length; length > 0; length--) {
      const place = this.#placeOf(path.slice(0, length));
      const value = place?.value ?? undefined;
      const empty = value?.range !== undefined && value.range !== null && value.range[0] === value.range[1];
      const node = (atKey && length === path.length) || empty ? (place?.key ?? value) : (value ?? place?.key);
      const offset = node?.range?.[0];
      if (offset !== undefined) return offset;
    }
    return this.#root?.range?.[0] ?? 0;
  }

  /** Where a place in the text at a path stands in the file; undefined where YAML joins lines. */
  offsetInside(path: SourcePath, position: TextPosition): number | undefined {
    const node = this.nodeAt(path);
    return isScalar(node) ? offsetInFile(this.text, node, position) : undefined;
  }

  #placeOf(path: SourcePath): Place | undefined {
    let value = this.value;
    let place: Place | undefined;
    for (const key of path) {
      place = typeof value === 'object' && value !== null ? this.#places.get(value)?.get(key) : undefined;
      if (place === undefined) return undefined;
      value = (value as Record<string | number, unknown>)[key];
    }
    return place;
  }

  #convert(node: Node | null): unknown {
    if (isAlias(node)) {
      const named = this.#anchors.get(node.source);
      if (named === undefined || !this.#values.has(named)) {
        this.problems.add(node, `invalid reference: ${node.source}`);
        return null;
      }
      return this.#values.get(named);
    }
    if (node !== null && 'anchor' in node && typeof node.anchor === 'string') {
      this.#anchors.set(node.anchor, node);
    }
    let value: unknown;
    if (isMap(node)) {
      const map: Record<string, unknown> = {};
      const places = new Map<string | number, Place>();
      this.#places.set(map, places);
      for (const { key, value: item } of node.items) {
        const name = isScalar(key) ? String(this.#scalar(key)) : String(this.#convert(key as Node | null));
        const converted = this.#convert(item as Node | null);
        if (name === '<<') {
          this.#merge(map, places, converted, item as Node | null);
          continue;
        }
        map[name] = converted;
        places.set(name, { key: isScalar(key) ? key : undefined, value: this.#target(item as Node | null) });
      }
      value = map;
    } else if (isSeq(node)) {
      const list = node.items.map((item) => this.#convert(item as Node | null));
      const places = node.items.map((item, index): [number, Place] => [
        index,
        { key: undefined, value: this.#target(item as Node | null) },
      ]);
      this.#places.set(list, new Map(places));
      value = list;
    } else {
      value = isScalar(node) ? this.#scalar(node) : null;
    }
    if (node !== null) this.#values.set(node, value);
    return value;
  }

  #target(node: Node | null): Node | null {
    return isAlias(node) ? (this.#anchors.get(node.source) ?? node) : node;
  }

  #merge(
    map: Record<string, unknown>,
    places: Map<string | number, Place>,
    merged: unknown,
    at: Node | null,
  ): void {
    for (const from of Array.isArray(merged) ? merged : [merged]) {
      if (typeof from !== 'object' || from === null || Array.isArray(from)) {
        this.problems.add(at, "'<<' takes a mapping or a list of mappings");
        continue;
      }
      for (const [key, value] of Object.entries(from)) {
        if (Object.hasOwn(map, key)) continue;
        map[key] = value;
        const place = this.#places.get(from)?.get(key);
        if (place !== undefined) places.set(key, place);
      }
    }
  }

  #scalar(node: Scalar): unknown {
    const text = String(node.value ?? '');
    const plain = node.type === 'PLAIN';
    const tag = node.tag?.startsWith(TAG) === true ? node.tag.slice(TAG.length) : undefined;
    if (tag === 'str' || (!plain && tag === undefined)) return text;
    if (tag === 'null') return null;
    const value = plainValue(text);
    if (typeof value === 'number' && !Number.isFinite(value)) {
      this.problems.add(node, `${text} is no number that a configuration can hold: Kong fails on it`);
      return null;
    }
    const wanted = tag === 'bool' ? 'boolean' : tag === 'int' || tag === 'float' ? 'number' : undefined;
    if (wanted === undefined || typeof value === wanted) return value;
    this.problems.add(node, `invalid '${tag}' value: '${text}'`);
    return null;
  }
}

const TRUE = /^(true|yes|on)$/i;
const FALSE = /^(false|no|off)$/i;
/** Only these three spellings of a word count. */
const SPELLED = /^([a-z]+|[A-Z][a-z]+|[A-Z]+)$/;

/** What an unquoted scalar means, tried in the order of Kong's reader. */
function plainValue(text: string): unknown {
  if (text === '' || text === '~' || (SPELLED.test(text) && /^null$/i.test(text))) return null;
  const negative = text.startsWith('-') ? -1 : 1;
  const digits = text.replace(/^[+-]/, '').replaceAll('_', '');
  if (/^[+-]?0_*[0-7][0-7_]*$/.test(text)) return negative * Number.parseInt(digits, 8);
  if (/^[+-]?_*[0-9][0-9_]*$/.test(text)) return negative * Number(digits);
  if (/[.eE]/.test(text) && /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text.replaceAll('_', ''))) {
    return negative * Number(digits);
  }
  if (SPELLED.test(text) && TRUE.test(text)) return true;
  if (SPELLED.test(text) && FALSE.test(text)) return false;
  if (/^[+-]?\.(inf|Inf|INF)$/.test(text)) return negative * Number.POSITIVE_INFINITY;
  if (/^\.(nan|NaN|NAN)$/.test(text)) return Number.NaN;
  if (/^[+-]?0x_*[0-9a-fA-F][0-9a-fA-F_]*$/.test(text)) return negative * Number(digits);
  if (/^[+-]?0b_*[01][01_]+$/.test(text)) return negative * Number(digits);
  if (/^[+-]?[0-9]+:[0-5]?[0-9][:0-9]*(\.[0-9]+)?$/.test(text)) {
    const parts = digits.split(':').filter((part) => part !== '');
    return negative * parts.reduce((sum, part) => sum * 60 + Number(part), 0);
  }
  return text;
}
