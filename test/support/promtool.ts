import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';

/** Why tests with Prometheus's expressions are left out; false when they can be run. */
export const promtoolLeftOut = installed()
  ? false
  : 'left out: promtool is not installed (package prometheus)';

function installed(): boolean {
  try {
    execFileSync('promtool', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** An expression, when it is asked (minutes from the first scrape), and the one number that it must give. */
export interface Expectation {
  readonly expr: string;
  readonly atMinute: number;
  readonly gives: number;
}

/** The series of one answer of `/metrics`, each with its labels as they stand there; values as they were written. */
export function seriesOf(text: string): Map<string, string> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line): [string, string] => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
}

/**
 * Has promtool ask expressions of series that come from scrapes a minute apart, with the alerting rules evaluated
 * beside them.
 *
 * @throws Error with what promtool says, which names each expression that gives something else
 */
export function askPrometheus(
  rules: string,
  scrapes: readonly ReadonlyMap<string, string>[],
  expectations: readonly Expectation[],
): void {
  const names = new Set(scrapes.flatMap((scrape) => [...scrape.keys()]));
  const series = [...names].map((name) => ({
    series: withTarget(name),
    // promtool knows no number that is none; a scrape without the series leaves a gap.
    values: scrapes.map((scrape) => finite(scrape.get(name))).join(' '),
  }));
  const tests = expectations.map(({ expr, atMinute, gives }) => ({
    expr,
    eval_time: `${atMinute}m`,
    exp_samples: [{ labels: '{}', value: gives }],
  }));
  const folder = mkdtempSync(join(tmpdir(), 'kts-promtool-'));
  try {
    const file = join(folder, 'tests.yml');
    const content = {
      rule_files: [resolve(rules)],
      evaluation_interval: '1m',
      tests: [{ interval: '1m', input_series: series, promql_expr_test: tests }],
    };
    writeFileSync(file, stringify(content, { lineWidth: 0 }));
    execFileSync('promtool', ['test', 'rules', file], { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`promtool: ${stdout ?? ''}${stderr ?? ''}`, { cause: error });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What Prometheus adds to every series of a target. */
function withTarget(name: string): string {
  const target = 'job="kong-ts-pluginserver",instance="kong:9464"';
  return name.endsWith('}') ? `${name.slice(0, -1)},${target}}` : `${name}{${target}}`;
}

function finite(value: string | undefined): string {
  return Number.isFinite(Number(value)) && value !== undefined ? String(Number(value)) : '_';
}
