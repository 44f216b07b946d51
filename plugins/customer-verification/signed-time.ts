// From this number on, digits mean milliseconds: as seconds it would be the year 5138, as milliseconds it is 1973.
const FIRST_MILLISECONDS = 100_000_000_000;

const UNIX = /^\d{1,15}(?:\.\d{1,9})?$/;
const ISO_8601 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:[Zz]|[+-]\d\d:?\d\d)$/;
const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const MONTH = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
const HTTP_DATE = new RegExp(`^${DAY}, \\d\\d ${MONTH} \\d{4} \\d\\d:\\d\\d:\\d\\d GMT$`);

/**
 * Reads a point in time: Unix seconds (also with a fraction), Unix milliseconds, ISO 8601 with a zone, or the
 * HTTP-date that RFC 9110 tells senders to use. Gives Unix milliseconds; undefined for anything else, an ISO 8601
 * time without a zone included, because nobody can know which one is meant.
 */
export function parseTime(text: string): number | undefined {
  if (UNIX.test(text)) {
    const value = Number(text);
    return value < FIRST_MILLISECONDS ? value * 1000 : value;
  }
  if (ISO_8601.test(text)) return parsed(normalisedIso(text));
  if (HTTP_DATE.test(text)) return parsed(text);
  return undefined;
}

/** Whether `time` is within `skewMs` of `now`, both Unix milliseconds. */
export function isFresh(time: number, now: number, skewMs: number): boolean {
  return Math.abs(now - time) <= skewMs;
}

function normalisedIso(text: string): string {
  return text
    .toUpperCase()
    .replace(' ', 'T')
    .replace(',', '.')
    .replace(/(\.\d{3})\d+/, '$1')
    .replace(/([+-]\d\d)(\d\d)$/, '$1:$2');
}

function parsed(text: string): number | undefined {
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}
