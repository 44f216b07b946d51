/** The settings in the text of a kong.conf, or the variables in that of an environment file: comments are none. */
export const settings = (text: string): ReadonlyMap<string, string> =>
  new Map([...text.matchAll(/^(\w+) *= *(.*)$/gm)].map(([, key = '', value = '']) => [key, value]));
