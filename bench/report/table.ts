import type { LoadSample } from '../parts/load.js';
import { PLANS } from '../plan.js';
import { middle, type Results } from '../results.js';
import { TITLES } from '../servers.js';
import { median } from '../statistics.js';
import { align } from './align.js';

/** The figures of a run as lines of text: one table per scenario, start times, memory, and the targets. */
export function renderTables(results: Results): string {
  const blocks = [
    loadTable(results),
    systemCallTable(results),
    startTable(results),
    memoryTable(results),
    targetTable(results),
  ];
  return blocks.filter((block) => block !== '').join('\n\n');
}

const HEADINGS = [
  'scenario',
  'server',
  'CPU µs',
  'user',
  'system',
  'wake-ups',
  'requests/s',
  'p50 ms',
  'p99 ms',
  'p99.9 ms',
  'late ms',
  'CPU / floor',
  'CPU / stock',
];

function loadTable({ loads, contestants }: Results): string {
  const rows = [HEADINGS];
  for (const { name, title } of PLANS.default.scenarios) {
    if (loads[name] === undefined) continue;
    for (const contestant of contestants) {
      const figure = (of: keyof LoadSample, digits: number) =>
        middle(loads, name, contestant, of).toFixed(digits);
      const cpu = middle(loads, name, contestant);
      rows.push([
        title,
        TITLES[contestant],
        cpu.toFixed(1),
        figure('userMicroseconds', 1),
        figure('systemMicroseconds', 1),
        figure('wakeUps', 2),
        figure('eventsPerSecond', 0),
        figure('p50Milliseconds', 2),
        figure('p99Milliseconds', 2),
        figure('p999Milliseconds', 2),
        figure('lateMilliseconds', 2),
        (cpu / middle(loads, name, 'floor')).toFixed(2),
        (cpu / middle(loads, name, 'stock')).toFixed(2),
      ]);
    }
  }
  return rows.length > 1 ? align(rows) : '';
}

function systemCallTable({ systemCalls, contestants }: Results): string {
  const rows = [['system calls of an event', 'server', 'all', 'which']];
  for (const outcome of ['verified', 'rejected'] as const) {
    for (const contestant of contestants) {
      const calls = Object.entries(systemCalls?.[contestant]?.[outcome] ?? {});
      if (calls.length === 0) continue;
      const all = calls.reduce((sum, [, count]) => sum + count, 0);
      const which = calls.sort(([, a], [, b]) => b - a).map(([name, count]) => `${name} ${count.toFixed(1)}`);
      rows.push([outcome, TITLES[contestant], all.toFixed(1), which.join(', ')]);
    }
  }
  return rows.length > 1 ? align(rows) : '';
}

function startTable({ startup }: Results): string {
  if (startup === undefined) return '';
  const cell = (values: number[]) => median(values).toFixed(0);
  const { firstConnection, dump, firstEvent } = startup;
  return align([
    ['start, ms', 'ours', 'two workers', 'stock', 'bare socket'],
    [
      'to the first connection',
      cell(firstConnection.ours),
      cell(firstConnection['two workers']),
      cell(firstConnection.stock),
      cell(firstConnection['bare socket']),
    ],
    ['to the end of the first event', cell(firstEvent.ours), '', cell(firstEvent.stock), ''],
    ['--dump', cell(dump.ours), '', cell(dump.stock), ''],
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
