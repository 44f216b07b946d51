import { PLANS } from '../plan.js';
import { middle, type Results } from '../results.js';
import { TITLES } from '../servers.js';
import { median } from '../statistics.js';
import { align } from './align.js';

/** The figures of a run as lines of text: one table per scenario, start times, memory, and the targets. */
export function renderTables(results: Results): string {
  const blocks = [loadTable(results), startTable(results), memoryTable(results), targetTable(results)];
  return blocks.filter((block) => block !== '').join('\n\n');
}

function loadTable({ loads, contestants }: Results): string {
  const rows = [
    ['scenario', 'server', 'CPU µs', 'requests/s', 'p50 ms', 'p99 ms', 'CPU / floor', 'CPU / stock'],
  ];
  for (const { name, title } of PLANS.default.scenarios) {
    if (loads[name] === undefined) continue;
    for (const contestant of contestants) {
      const cpu = middle(loads, name, contestant);
      rows.push([
        title,
        TITLES[contestant],
        cpu.toFixed(1),
        middle(loads, name, contestant, 'eventsPerSecond').toFixed(0),
        middle(loads, name, contestant, 'p50Milliseconds').toFixed(2),
        middle(loads, name, contestant, 'p99Milliseconds').toFixed(2),
        (cpu / middle(loads, name, 'floor')).toFixed(2),
        (cpu / middle(loads, name, 'stock')).toFixed(2),
      ]);
    }
  }
  return align(rows);
}

function startTable({ startup }: Results): string {
  if (startup === undefined) return '';
  const cell = (values: number[]) => median(values).toFixed(0);
  return align([
    ['start, ms', 'ours', 'stock'],
    ['--dump', cell(startup.dump.ours), cell(startup.dump.stock)],
    ['to the end of the first event', cell(startup.firstEvent.ours), cell(startup.firstEvent.stock)],
  ]);
}

function memoryTable({ memory, contestants }: Results): string {
  const rows = [['memory', 'rejections', 'MB', 'rejections', 'MB', 'bytes each']];
  for (const contestant of contestants) {
    const sample = memory[contestant];
    if (sample === undefined) continue;
    const [first, last] = sample.rejections;
    const [early, late] = sample.residentBytes;
    rows.push([
      TITLES[contestant],
      String(first),
      (early / 1e6).toFixed(1),
      String(last),
      (late / 1e6).toFixed(1),
      ((late - early) / (last - first)).toFixed(0),
    ]);
  }
  return rows.length > 1 ? align(rows) : '';
}

function targetTable({ targets }: Results): string {
  const rows = [['target', 'wanted', 'measured', '', '']];
  for (const { what, target, measured, met, note } of targets) {
    const verdict = met === undefined ? '' : met ? 'met' : 'missed';
    rows.push([what, target, measured === undefined ? '-' : measured.toFixed(2), verdict, note ?? '']);
  }
  return align(rows);
}
