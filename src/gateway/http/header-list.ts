/** One header line: name as sent, value as latin1 text (one char per byte). */
export type HeaderLine = readonly [name: string, value: string];

/**
 * Header lines in order, with the spelling and the bytes they came with. Lookups ignore case.
 */
export class HeaderList {
  readonly #lines: HeaderLine[];

  constructor(lines: Iterable<HeaderLine> = []) {
    this.#lines = [...lines];
  }

  /** From node's `rawHeaders`: name, value, name, value… */
  static fromRaw(raw: readonly string[]): HeaderList {
    const list = new HeaderList();
    for (let i = 0; i + 1 < raw.length; i += 2) {
      list.#lines.push([raw[i] as string, raw[i + 1] as string]);
    }
    return list;
  }

  get lines(): readonly HeaderLine[] {
    return this.#lines;
  }

  /** The flat form that node's `writeHead` and `request` take. */
  toRaw(): string[] {
    return this.#lines.flat();
  }

  clone(): HeaderList {
    return new HeaderList(this.#lines);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** The first value. */
  get(name: string): string | undefined {
    const wanted = name.toLowerCase();
    return this.#lines.find(([key]) => key.toLowerCase() === wanted)?.[1];
  }

  getAll(name: string): string[] {
    const wanted = name.toLowerCase();
    return this.#lines.filter(([key]) => key.toLowerCase() === wanted).map(([, value]) => value);
  }

  append(name: string, value: string): void {
    this.#lines.push([name, value]);
  }

  /**
   * Replaces every line of this name. A single value takes the place and the spelling of the first line, as
   * nginx does; several values go to the end; none removes the header.
   */
  set(name: string, value: string | readonly string[]): void {
    const wanted = name.toLowerCase();
    if (typeof value === 'string') {
      const first = this.#lines.findIndex(([key]) => key.toLowerCase() === wanted);
      if (first >= 0) {
        const spelled = (this.#lines[first] as HeaderLine)[0];
        this.remove(name);
        this.#lines.splice(first, 0, [spelled, value]);
        return;
      }
      this.append(name, value);
      return;
    }
    this.remove(name);
    for (const one of value) {
      this.append(name, one);
    }
  }

  /** Drops the lines whose names are not wanted. */
  retain(wanted: (name: string) => boolean): void {
    for (let i = this.#lines.length - 1; i >= 0; i--) {
      if (!wanted((this.#lines[i] as HeaderLine)[0])) this.#lines.splice(i, 1);
    }
  }

  remove(name: string): void {
    const wanted = name.toLowerCase();
    this.retain((key) => key.toLowerCase() !== wanted);
  }

  /**
   * As OpenResty's get_headers: the first `max` lines, names in lower case, one value as text and repeated ones
   * as an array.
   */
  toMultiMap(max: number): { [name: string]: string | string[] } {
    const map: { [name: string]: string | string[] } = Object.create(null);
    for (const [name, value] of this.#lines.slice(0, max)) {
      const key = name.toLowerCase();
      const before = map[key];
      if (before === undefined) {
        map[key] = value;
      } else if (Array.isArray(before)) {
        before.push(value);
      } else {
        map[key] = [before, value];
      }
    }
    return map;
  }
}
