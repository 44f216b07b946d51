import { MASK, maskedBody, maskedNamed } from './masking.js';
import type { ExchangeRecord, RecordedHeaders } from './record.js';
import { isSecretName } from './secret-names.js';
import { secretValues, withoutValues } from './secret-values.js';
import { textOf } from './values.js';

/** Writes values of an exchange as source, and leaves credentials out where they are not wanted. */
export class SourceWriter {
  /** The environment variables that stand for credentials, by name and value. */
  readonly #variables = new Map<string, string>();
  readonly #secrets: readonly string[];
  #masked = false;

  constructor(record: ExchangeRecord, withSecrets: boolean) {
    this.#secrets = withSecrets ? [] : secretValues(record);
    this.withSecrets = withSecrets;
  }

  readonly withSecrets: boolean;

  /** The names of the variables that have been written so far. */
  get variables(): string[] {
    return [...this.#variables.values()];
  }

  /** Whether something has been written without the credentials in it, and with nothing in their place. */
  get isMasked(): boolean {
    return this.#masked;
  }

  /** The variable that stands for a credential; one for each value. undefined: it is none, or is wanted. */
  variable(name: string, value: string): string | undefined {
    if (this.withSecrets || maskedNamed(name, value) !== MASK) return undefined;
    const key = `${name.toLowerCase()}\n${value}`;
    const base = `TEST_${name.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}`;
    const taken = this.variables;
    let variable = this.#variables.get(key) ?? base;
    for (let n = 2; !this.#variables.has(key) && taken.includes(variable); n += 1) variable = `${base}_${n}`;
    this.#variables.set(key, variable);
    return variable;
  }

  /** A text under a name. */
  named(name: string, value: string): string {
    const variable = this.variable(name, value);
    return variable === undefined ? this.text(value) : `process.env.${variable} ?? ''`;
  }

  /** A text between single quotes. */
  text(text: string): string {
    return quoted(this.hidden(text));
  }

  /** A text without credentials, where those are not wanted. */
  hidden(text: string): string {
    const hidden = withoutValues(text, this.#secrets);
    if (hidden !== text) this.#masked = true;
    return hidden;
  }

  /** A body as text; undefined: it is none. */
  bodyText(content: Buffer): string | undefined {
    const text = content.toString();
    if (!Buffer.from(text).equals(content)) return undefined;
    if (this.withSecrets) return text;
    const named = maskedBody(text);
    if (named !== text) this.#masked = true;
    return this.hidden(named);
  }

  body(content: Buffer): string {
    const text = this.bodyText(content);
    return text === undefined ? `Buffer.from('${content.toString('base64')}', 'base64')` : quoted(text);
  }

  /** A request target; `inQuotes` writes one with variables in it, as a template or for a shell. */
  target(target: string, inQuotes: (pieces: readonly (string | { variable: string })[]) => string): string {
    const pieces = target.split(/(?<=[?&][^=&]+=)([^&]*)/).map((piece, index, all) => {
      const name = index % 2 === 0 ? undefined : /([^?&]+)=$/.exec(all[index - 1] as string)?.[1];
      const variable = name === undefined ? undefined : this.variable(name, piece);
      return variable === undefined ? piece : { variable };
    });
    return inQuotes(pieces);
  }

  /** Several values of a name become a list. */
  headers(lines: RecordedHeaders): string {
    const names = new Map<string, string[]>();
    for (const [name, value] of lines) {
      const known = [...names.keys()].find((key) => key.toLowerCase() === name.toLowerCase()) ?? name;
      names.set(known, [...(names.get(known) ?? []), this.named(name, textOf(value))]);
    }
    const fields = [...names].map(
      ([name, values]) => `  ${quoted(name)}: ${values.length === 1 ? values[0] : `[${values.join(', ')}]`},`,
    );
    return fields.length === 0 ? '{}' : `{\n${fields.join('\n')}\n}`;
  }

  /** A value of JSON; `name` is what it goes by. */
  value(value: unknown, name = ''): string {
    if (typeof value === 'string') return this.named(name, value);
    if (Array.isArray(value)) {
      if (value.length === 0) return '[]';
      // What stands in a list goes by the list's name, where that is a credential's.
      const inner = isSecretName(name) ? name : '';
      return `[\n${value.map((item) => `  ${indented(this.value(item, inner), 2)},`).join('\n')}\n]`;
    }
    if (typeof value !== 'object' || value === null) return String(value);
    const fields = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => {
        const spelled = /^[a-z_$][\w$]*$/i.test(key) && key !== '__proto__' ? key : `[${quoted(key)}]`;
        return `  ${spelled}: ${indented(this.value(item, key), 2)},`;
      });
    return fields.length === 0 ? '{}' : `{\n${fields.join('\n')}\n}`;
  }
}

/** A text between single quotes, in JavaScript. */
export function quoted(text: string): string {
  const inner = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'");
  return `'${inner}'`;
}

/** Source of several lines, further to the right from its second line on. */
export function indented(source: string, by: number): string {
  return source.replaceAll('\n', `\n${' '.repeat(by)}`);
}
