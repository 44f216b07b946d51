import fc from 'fast-check';

// The language of random programs.

/** Names that programs declare, use, and assign to. */
const NAMES = ['a', 'b', 'c', 'then', 'kong', 'Promise', 'globalThis'] as const;
export const own = fc.constantFrom('a', 'b', 'c');
const anyName = fc.oneof({ weight: 6, arbitrary: own }, { weight: 1, arbitrary: fc.constantFrom(...NAMES) });

const literal = fc.oneof(
  fc.integer().map(String),
  fc.constantFrom('null', 'undefined', 'true', 'NaN', '-0', '(2 ** 53)', '[]', '{}', '`t`', '/(a+)+$/y'),
  fc.string({ maxLength: 12 }).map((text) => JSON.stringify(text)),
  fc.constantFrom(
    'Symbol.iterator',
    'Symbol.toPrimitive',
    'Symbol.species',
    '"__proto__"',
    "'x'.repeat(3e4)",
  ),
);

export const property = fc.constantFrom(
  ...[
    'then',
    'constructor',
    '__proto__',
    'prototype',
    'toJSON',
    'length',
    'name',
    'x',
    'get',
    'map',
    'return',
  ],
);
const owner = fc.constantFrom(
  ...['Object.prototype', 'Promise.prototype', 'Array.prototype', 'Function.prototype', 'Promise', 'JSON'],
  ...[
    'kong',
    'kong.response',
    'kong.request',
    'globalThis',
    'Error.prototype',
    'Symbol.prototype',
    'Reflect',
  ],
);
/** None of these lets a request through or answers it with a success. */
const pdk = fc.constantFrom(
  ...[
    'request.getHeader',
    'request.getRawBody',
    'request.getPath',
    'nginx.setCtx',
    'nginx.getCtx',
    'log.notice',
  ],
  ...[
    'service.request.setHeader',
    'service.request.setRawBody',
    'response.setHeader',
    'response.clearHeader',
  ],
  ...['client.getIp', 'ctx.shared.set', 'request.getBody', 'service.setTarget', 'router.getRoute'],
);
const builtIn = fc.constantFrom(
  ...[
    'JSON.stringify',
    'JSON.parse',
    'Object.freeze',
    'Object.keys',
    'Array.from',
    'Promise.all',
    'Promise.race',
  ],
  ...[
    'Promise.resolve',
    'Promise.reject',
    'Reflect.ownKeys',
    'Object.getPrototypeOf',
    'structuredClone',
    'String',
  ],
  ...['Number', 'Symbol', 'crypto.sha256', 'atob', 'new URL', 'new URLSearchParams', 'new Map', 'new Set'],
  ...[
    'new Promise',
    'new Error',
    'new Uint8Array',
    'Object.defineProperty',
    'Function',
    'new Proxy',
    'new Date',
  ],
);
const operator = fc.constantFrom('+', '-', '*', '==', '===', '<', '??', '||', '&&', 'in', 'instanceof', ',');
export const comma = (parts: readonly string[]) => parts.join(', ');

type Grammar = {
  readonly expression: string;
  readonly statement: string;
  readonly block: string;
  readonly callee: string;
};

export const grammar = fc.letrec<Grammar>((tie) => {
  const expression = tie('expression');
  const block = tie('block');
  const args = fc.array(expression, { maxLength: 3 }).map(comma);
  return {
    callee: fc.oneof(
      block.map((body) => `(() => ${body})`),
      block.map((body) => `(async (a: any, b?: string) => ${body})`),
      block.map((body) => `(function c(a, b) ${body})`),
      block.map((body) => `(function* () ${body})`),
      block.map((body) => `(async function* () ${body})`),
      expression.map((value) => `((...a) => ${value})`),
    ),
    expression: fc.oneof(
      { depthSize: 'xsmall', withCrossShrink: true },
      literal,
      anyName,
      fc.tuple(expression, operator, expression).map(([a, op, b]) => `((${a}) ${op} (${b}))`),
      fc.tuple(builtIn, args).map(([name, list]) => `${name}(${list})`),
      fc.tuple(pdk, args).map(([name, list]) => `kong.${name}(${list})`),
      fc.tuple(tie('callee'), args).map(([callee, list]) => `${callee}(${list})`),
      tie('callee'),
      fc.array(expression, { maxLength: 3 }).map((items) => `[${items.join(', ...')}]`),
      fc.tuple(property, expression).map(([key, value]) => `({ ${key}: ${value} })`),
      fc.tuple(property, expression).map(([key, value]) => `({ get ${key}() { return ${value}; } })`),
      fc.tuple(expression, property).map(([value, key]) => `(${value})?.${key}`),
      block.map((body) => `({ then(a, b) ${body} })`),
      block.map((body) => `(class extends Promise { constructor(a) { super(a); ${body} } })`),
      fc.tuple(own, expression).map(([name, value]) => `(${name} = ${value} as any)`),
      fc.tuple(owner, property, expression).map(([object, key, value]) => `(${object}.${key} = ${value})`),
      fc.tuple(expression, expression).map(([a, b]) => `new Proxy(Object(${a}), Object(${b}))`),
    ),
    statement: fc.oneof(
      { depthSize: 'xsmall', withCrossShrink: true },
      expression.map((value) => `(${value});`),
      fc.tuple(own, expression).map(([name, value]) => `${name} = ${value};`),
      fc.tuple(expression, block, block).map(([test, yes, no]) => `if (${test}) ${yes} else ${no}`),
      fc.tuple(own, block).map(([name, body]) => `for (let ${name} = 0; ${name} < 3; ${name}++) ${body}`),
      fc.tuple(expression, block).map(([list, body]) => `for (const b of Object.keys(${list})) ${body}`),
      fc.tuple(block, block).map(([a, b]) => `try ${a} catch (c) ${b}`),
      fc.tuple(block, block).map(([a, b]) => `try ${a} finally ${b}`),
      fc.tuple(block, block).map(([a, b]) => `for (;;) { ${a} try { break; } finally ${b} }`),
      fc.tuple(expression, block).map(([value, body]) => `switch (${value}) { case 1: ${body} default: }`),
      expression.map((value) => `<!-- ${value.replaceAll(/[\n\r\u2028\u2029]/g, ' ')}\n`),
      expression.map((value) => `(async () => { await ${value}; })();`),
      expression.map((value) => `Promise.resolve(${value}).then((a) => a, () => {});`),
      fc.tuple(expression, block).map(([value, body]) => `Promise.resolve(${value}).then((a) => ${body});`),
      fc.constantFrom('for (;;);', 'throw new Error("mine");', 'debugger;', 'new Promise(() => {});'),
    ),
    block: fc.array(tie('statement'), { maxLength: 2 }).map((parts) => `{ ${parts.join('\n')} }`),
  };
});
