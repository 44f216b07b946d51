import { middle, type Results } from '../results.js';
import { type Contestant, TITLES } from '../servers.js';

const GROUPS: [scenario: string, title: string][] = [
  ['verified-2000', 'verified, 2,000/s'],
  ['verified-5000', 'verified, 5,000/s'],
  ['verified-8000', 'verified, 8,000/s'],
  ['rejected-2000', 'rejected, 2,000/s'],
  ['rejected-5000', 'rejected, 5,000/s'],
];

const COLOURS: Record<Contestant, string> = {
  'ours-protobuf': '#1a7f5a',
  'ours-msgpack': '#7cc4a8',
  stock: '#c2542d',
  floor: '#a8b0b8',
};

const WIDTH = 760;
const LEFT = 190;
const RIGHT = 70;
const TOP = 84;
const BAR = 18;
const GAP = 22;

/** Server CPU per request as horizontal bars: one group per scenario, one bar per server. */
export function renderChart(results: Results): string {
  const groups = GROUPS.filter(([scenario]) => results.loads[scenario] !== undefined);
  const shown = results.contestants;
  const largest = Math.max(
    ...groups.flatMap(([scenario]) => shown.map((contestant) => value(results, scenario, contestant))),
    1,
  );
  const groupHeight = shown.length * BAR + GAP;
  const height = TOP + groups.length * groupHeight + 24;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="13">`,
    '<title>Server CPU per request, in microseconds</title>',
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(20, 28, 'Server CPU per request, µs (less is better)', 'font-size="16" font-weight="600"'),
    legend(shown),
  ];
  groups.forEach(([scenario, title], group) => {
    const y = TOP + group * groupHeight;
    parts.push(text(LEFT - 12, y + (shown.length * BAR) / 2 + 4, title, 'text-anchor="end"'));
    shown.forEach((contestant, bar) => {
      const microseconds = value(results, scenario, contestant);
      const width = ((WIDTH - LEFT - RIGHT) * microseconds) / largest;
      const top = y + bar * BAR;
      parts.push(
        `<rect x="${LEFT}" y="${top}" width="${width.toFixed(1)}" height="${BAR - 3}" rx="2" fill="${COLOURS[contestant]}"/>`,
        text(LEFT + width + 6, top + 12, microseconds.toFixed(1), 'font-size="12"'),
      );
    });
  });
  const { machine } = results;
  const footer = `${results.date.slice(0, 10)}, Node ${machine.node}, ${machine.cpus} × ${machine.cpu}, medians of one run`;
  parts.push(text(20, height - 10, footer, 'font-size="11" fill="#667078"'), '</svg>');
  return `${parts.join('\n')}\n`;
}

function value({ loads }: Results, scenario: string, contestant: Contestant): number {
  const microseconds = middle(loads, scenario, contestant);
  return Number.isNaN(microseconds) ? 0 : microseconds;
}

function legend(shown: readonly Contestant[]): string {
  return shown
    .map((contestant, i) => {
      const x = 20 + i * 160;
      return `<rect x="${x}" y="46" width="12" height="12" rx="2" fill="${COLOURS[contestant]}"/>${text(x + 18, 57, TITLES[contestant])}`;
    })
    .join('\n');
}

function text(x: number, y: number, content: string, attributes = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const fill = attributes.includes('fill=') ? '' : ' fill="#1f2933"';
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${fill}${attributes === '' ? '' : ` ${attributes}`}>${escaped}</text>`;
}
