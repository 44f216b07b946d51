import fc from 'fast-check';
import { comma, grammar, own, property } from './program-grammar.js';

// Random programs that refuse every request, whatever happens in them before.

const statements = fc
  .array(grammar.statement, { minLength: 1, maxLength: 5 })
  .map((parts) => `let a: any, b: any, c: any;\n${parts.join('\n')}`);
/** What may be awaited at the top. */
const waits = fc
  .tuple(statements, grammar.expression)
  .map(([before, value]) => `${before}\nawait (${value});`);
const program = fc.oneof(statements, waits);

const REFUSAL = `kong.response.exit(403, { message: 'no' });`;

/** What cannot be handed over: too deep, too many, a key `__proto__`, a cycle, or it throws when it is read. */
const uncrossable = fc.letrec<{ readonly value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'xsmall', withCrossShrink: true },
    fc
      .integer({ min: 1, max: 300 })
      .map((depth) => `JSON.parse('['.repeat(${depth}) + ']'.repeat(${depth}))`),
    fc
      .integer({ min: 60, max: 70 })
      .map((depth) => `Array.from({ length: ${depth} }).reduce((a) => ({ a }), 1)`),
    fc.integer({ min: 49_990, max: 50_010 }).map((length) => `Array(${length}).fill(0)`),
    fc.constantFrom(
      `JSON.parse('{"__proto__":1}')`,
      '(() => { const d: any = {}; d.d = d; return d; })()',
      '(() => { const d: any = []; d[0] = [d]; return d; })()',
      'new Proxy({}, { ownKeys() { throw 1; } })',
      'new Proxy([], { get() { throw null; } })',
      '(() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy; })()',
    ),
    grammar.expression.map((thrown) => `({ get a() { throw ${thrown}; } })`),
    grammar.expression.map((thrown) => `({ toJSON() { throw ${thrown}; } })`),
    tie('value').map((value) => `[1, ${value}]`),
    fc.tuple(property, tie('value')).map(([key, value]) => `({ ${key}: ${value} })`),
    tie('value').map((value) => `Object.assign(Promise.resolve(), { a: ${value} })`),
    tie('value').map((value) => `({ toJSON: () => ${value} })`),
  ),
})).value;

/** A refusal with arguments of every kind, waited for or not. */
const exit = fc
  .tuple(
    fc.constantFrom('exit', 'error'),
    fc.oneof(
      { weight: 1, arbitrary: grammar.expression },
      { weight: 3, arbitrary: uncrossable },
      { weight: 1, arbitrary: fc.tuple(grammar.expression, uncrossable).map(comma) },
      { weight: 1, arbitrary: fc.tuple(uncrossable, grammar.expression).map(comma) },
    ),
  )
  .chain(([method, args]) => {
    // Made where nothing catches what making them throws: only the call itself is to be swallowed.
    const given = `const given: any[] = [403, ${args}];\n`;
    const call = `kong.response.${method}(...given)`;
    return fc
      .constantFrom(
        `${call};`,
        `await ${call};`,
        `${call}.catch(() => {});`,
        `try { await ${call}; } catch {}`,
        `try { ${call}; } catch {} finally { await null; }`,
        `(async () => { try { await null; ${call}; } catch {} })();\nawait kong.request.getPath();`,
        `await Promise.allSettled([${call}]);`,
        `await Promise.race([${call}, 1]);`,
      )
      .map((statement) => given + statement);
  });

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
  fc.tuple(statements, exit).map(([code, call]) => [`${code}\n${call}`]),
  // What a refusal that was lost would go on with.
  fc.tuple(exit, statements).map(([call, code]) => [`${call}\ntry {\n${code}\n} catch {}`]),
  // Little else in it: most programs above run into an error of their own, which refuses as well.
  exit.map((call) => [call]),
  fc.tuple(exit, own).map(([call, name]) => [`let ${name} = 0;\nreturn async () => { ${name}++; ${call} };`]),
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
