import { styleText } from 'node:util';

/** Puts colours around text, or does not. */
export interface Style {
  good(text: string): string;
  changed(text: string): string;
  warning(text: string): string;
  bad(text: string): string;
  dim(text: string): string;
  strong(text: string): string;
}

const plain = (text: string) => text;
const PLAIN: Style = { good: plain, changed: plain, warning: plain, bad: plain, dim: plain, strong: plain };

const coloured = (format: Parameters<typeof styleText>[0]) => (text: string) =>
  styleText(format, text, { validateStream: false });
const COLOURED: Style = {
  good: coloured('green'),
  changed: coloured('cyan'),
  warning: coloured('yellow'),
  bad: coloured('red'),
  dim: coloured('dim'),
  strong: coloured('bold'),
};

/** Colours where a terminal reads along and nobody asked for none: https://no-color.org. */
export function styleFor(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): Style {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return PLAIN;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '0') return COLOURED;
  return stream.isTTY === true && env.TERM !== 'dumb' ? COLOURED : PLAIN;
}
