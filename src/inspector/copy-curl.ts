import type { ExchangeRecord } from './record.js';
import { SourceWriter } from './source-writer.js';

/** Headers that curl writes by itself. */
const OWN = /^(?:connection|content-length|transfer-encoding|keep-alive|expect)$/i;

/**
 * A curl command that repeats a request. Without credentials it reads those of headers and the query from variables of
 * the shell.
 */
export function curlCommand(record: ExchangeRecord, gatewayUrl: string, withSecrets: boolean): string {
  const { method, headers, target, body } = record.request;
  const write = new SourceWriter(record, withSecrets);
  const url = write.target(target, (pieces) =>
    pieces.every((piece) => typeof piece === 'string')
      ? shell(`${gatewayUrl}${pieces.join('')}`)
      : doubleQuoted([gatewayUrl, ...pieces]),
  );
  const parts = [`curl -i -X ${shell(method)} ${url}`];
  for (const [name, value] of headers) {
    if (OWN.test(name)) continue;
    const variable = write.variable(name, value);
    parts.push(
      `-H ${variable === undefined ? shell(`${name}: ${write.hidden(value)}`) : doubleQuoted([`${name}: `, { variable }])}`,
    );
  }
  if (body.content.length > 0) {
    const text = write.bodyText(body.content);
    if (text === undefined) {
      const octal = body.content
        .toString('hex')
        .replace(/../g, (hex) => `\\0${Number.parseInt(hex, 16).toString(8)}`);
      return `printf %b '${octal}' | ${[...parts, '--data-binary @-'].join(' \\\n  ')}`;
    }
    parts.push(`--data-raw ${shell(text)}`);
  }
  return parts.join(' \\\n  ');
}

function doubleQuoted(pieces: readonly (string | { variable: string })[]): string {
  const inner = pieces.map((piece) =>
    typeof piece === 'string' ? piece.replace(/[\\"$`]/g, '\\$&') : `\${${piece.variable}}`,
  );
  return `"${inner.join('')}"`;
}

function shell(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
