/** How many PDK calls a run makes. */
export const CALLS = [0, 2, 10] as const;
export type Calls = (typeof CALLS)[number];

/** The function as it stands in the configuration; the plain plugin runs the same text. */
export function sourceWith(calls: Calls): string {
  // Half of the calls wait for an answer of Kong's, the other half go out with what comes next.
  const pair = (n: number) => `
    const value${n} = await kong.request.getHeader('x-bench-${n}');
    kong.service.request.setHeader('X-Seen-${n}', (value${n} ?? 'none') + sum);`;
  return `
    let sum = 0;
    for (let i = 0; i < 100; i++) sum = (sum * 31 + i) % 1009;
    ${Array.from({ length: calls / 2 }, (_, n) => pair(n)).join('')}
  `;
}
