import fc from 'fast-check';

// Random programs that refuse every request, whatever happens in them before.

/** Names that programs declare, use, and assign to. */
const NAMES = ['a', 'b', 'c', 'then', 'kong', 'Promise', 'globalThis'] as const;
const own = fc.constantFrom('a', 'b', 'c');
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

const property = fc.constantFrom(
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
const comma = (parts: readonly string[]) => parts.join(', ');

type Grammar = {
  readonly expression: string;
  readonly statement: string;
  readonly block: string;
  readonly callee: string;
};

const grammar = fc.letrec<Grammar>((tie) => {
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

const statements = fc
  .array(grammar.statement, { minLength: 1, maxLength: 5 })
  .map((parts) => `let a: any, b: any, c: any;\n${parts.join('\n')}`);
/** What may be awaited at the top. */
const waits = fc
  .tuple(statements, grammar.expression)
  .map(([before, value]) => `${before}\nawait (${value});`);
const program = fc.oneof(statements, waits);

const REFUSAL = `kong.response.exit(403, { message: 'no' });`;

/**
 * The functions of a configuration that refuses every request: a random program in front of the refusal, around it, or as
 * what makes its arguments.
 */
export const refusingProgram: fc.Arbitrary<readonly string[]> = fc.oneof(
  program.map((code) => [code, REFUSAL]),
  program.map((code) => [`${code}\n${REFUSAL}`]),
  program.map((code) => [`try {\n${code}\n} catch {}\n${REFUSAL}`]),
  program.map((code) => [`try {\n${code}\n} finally {\n${REFUSAL}\n}`]),
  program.map((code) => [`${code}\nreturn;`, REFUSAL]),
  program.map((code) => [`${code}\nreturn async () => {\n${code}\n};`, REFUSAL]),
  program.map((code) => [`await (async () => {\n${code}\n${REFUSAL}\n})();`]),
  fc
    .tuple(statements, grammar.expression)
    .map(([code, value]) => [`${code}\nkong.response.exit(403, ${value});`]),
  fc
    .tuple(statements, grammar.expression, grammar.expression)
    .map(([code, value, more]) => [`${code}\nkong.response.exit(403, ${value}, ${more}).catch(() => {});`]),
);

const keys = fc.oneof(fc.string({ maxLength: 6 }), property);
/** What a client sends: JSON of every shape, text that is nearly JSON, and bytes. */
export const clientBody: fc.Arbitrary<Buffer> = fc.oneof(
  fc.json({ maxDepth: 5 }).map((text) => Buffer.from(text)),
  fc.dictionary(keys, fc.jsonValue(), { maxKeys: 5 }).map((value) => Buffer.from(JSON.stringify(value))),
  fc.tuple(property, fc.json()).map(([key, value]) => Buffer.from(`{"${key}":${value}}`)),
  fc.integer({ min: 1, max: 200 }).map((depth) => Buffer.from('['.repeat(depth) + ']'.repeat(depth))),
  fc.integer({ min: 1, max: 60_000 }).map((length) => Buffer.from(`[${Array(length).fill(1)}]`)),
  fc.integer({ min: 1, max: 300_000 }).map((length) => Buffer.from(`"${'é'.repeat(length)}"`)),
  fc.json().chain((text) => fc.nat(text.length).map((end) => Buffer.from(text.slice(0, end)))),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
);

const BODY = `const raw = await kong.request.getRawBody(), text = String(raw);
  const body = (() => { try { return JSON.parse(text); } catch { return text; } })();`;
/** Functions that refuse every client, and say so with what the client sent. */
export const REFUSING_FUNCTIONS: readonly string[] = [
  `${BODY} kong.response.exit(403, { got: body });`,
  `${BODY} kong.response.exit(403, body).catch(() => {});`,
  `${BODY} await kong.response.exit(403, raw, { 'x-got': text });`,
  `${BODY} try { await kong.response.exit(403, text, body); } catch {}`,
  `${BODY} kong.response.error(403, body);`,
  `${BODY} if (body?.key !== 'the one that is not guessed') kong.response.exit(403, { body });`,
  `${BODY} for (const [key, value] of Object.entries(Object(body))) kong.service.request.setHeader(key, value);
   kong.response.exit(403);`,
  `${BODY} const seen = structuredClone(body); kong.ctx.shared.set('seen', seen); kong.response.exit(403, { seen, body });`,
];
