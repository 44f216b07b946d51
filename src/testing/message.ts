import { HeaderList } from '../gateway/http/header-list.js';
import type { RecordedHeaders } from '../inspector/record.js';
import { textOf } from '../inspector/values.js';

/** Header values by name in lower case; a list where a name came more than once. */
export type TestHeaders = Record<string, string | string[]>;

/** Headers and body of a request or a response. */
export class TestMessage {
  /** By name in lower case, as text; a list where a name came more than once. */
  readonly headers: TestHeaders;

  constructor(
    /** In order, as spelled. */
    readonly headerLines: RecordedHeaders,
    /** The body's bytes. */
    readonly bytes: Buffer,
  ) {
    const text = headerLines.map(([name, value]): [string, string] => [name, textOf(value)]);
    this.headers = { ...new HeaderList(text).toMultiMap(Number.POSITIVE_INFINITY) };
  }

  /** The body as UTF-8 text. */
  get body(): string {
    return this.bytes.toString('utf8');
  }

  /** The body parsed. @throws SyntaxError when it is no JSON */
  json(): unknown {
    return JSON.parse(this.body);
  }
}
