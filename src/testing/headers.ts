/** Headers as tests write them: by name, several values in a list; or lines in order. Text is sent as UTF-8. */
export type HeadersInit =
  | Readonly<Record<string, string | number | readonly string[]>>
  | readonly (readonly [name: string, value: string])[];

/** As lines, one char per byte. */
export function headerInit(headers: HeadersInit = {}): [name: string, value: string][] {
  if (isLines(headers)) return headers.map(([name, value]) => [name, bytesOf(value)]);
  return Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((one): [string, string] => [name, bytesOf(String(one))]),
  );
}

function isLines(headers: HeadersInit): headers is readonly (readonly [string, string])[] {
  return Array.isArray(headers);
}

/** Text as one char for each of its bytes. */
export function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
