import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { type LuaEngine, LuaFactory } from 'wasmoon';
import { luaPatternToRegExp } from '../../src/plugin/lua-pattern.js';

describe('Lua patterns as regular expressions', () => {
  let lua: LuaEngine;
  let luaMatches: (subject: string, pattern: string) => boolean | undefined;

  before(async () => {
    lua = await new LuaFactory().createEngine();
    luaMatches = (await lua.doString(`
      return function(subject, pattern)
        local ok, found = pcall(string.find, subject, pattern)
        if not ok then return nil end
        return found ~= nil
      end`)) as typeof luaMatches;
  });
  after(() => lua.global.close());

  const agree = (subject: string, pattern: string) => {
    const expected = luaMatches(subject, pattern) ?? undefined;
    assert.equal(luaPatternToRegExp(pattern)?.test(subject), expected, JSON.stringify({ subject, pattern }));
  };

  test('agree with Lua on patterns that schemas use', () => {
    const patterns = [
      '^%d+$',
      '^[%w_%-]+$',
      '^/',
      '%.lua$',
      '^%s*(.-)%s*$',
      '[^%s]',
      '%f[%w]%w+',
      '%f[%z]',
      'a-b',
      '^(%a)%1$',
      '[]]',
      '[^]]',
      '[a-]',
      '[z-a]',
      '$x',
      'a^b',
      '%$',
      'x?y*z',
      '()',
      '%D%S%W%A%L%U%P%C',
    ];
    const subjects = [
      '',
      'a',
      'aa',
      'ab',
      '12',
      '1a',
      ' x ',
      '/p',
      'f.lua',
      ']',
      'z-a',
      '$x',
      'a^b',
      'THE (quick) fox',
    ];
    for (const pattern of patterns) for (const subject of subjects) agree(subject, pattern);
  });

  test('agree with Lua on random ones', () => {
    const item = fc.constantFrom(
      'a',
      'b',
      '-',
      '.',
      '%d',
      '%A',
      '%%',
      '[ab]',
      '[^a-c1]',
      '[%w.]',
      '%f[%a]',
      '(',
      ')',
      '^',
    );
    const quantifier = fc.constantFrom('', '', '*', '+', '-', '?');
    const pattern = fc
      .tuple(
        fc.constantFrom('', '^'),
        fc.array(fc.tuple(item, quantifier), { maxLength: 5 }),
        fc.constantFrom('', '$'),
      )
      .map(([start, items, end]) => start + items.flat().join('') + end)
      // A quantifier behind a bracket or frontier is a literal in Lua, and what follows is another matter.
      .filter((text) => !/[()][*+?-]|\[%a\][*+?-]/.test(text));
    const subject = fc.string({
      unit: fc.constantFrom('a', 'b', 'c', '1', '.', '-', '%', '^', '(', ' '),
      maxLength: 6,
    });
    let translated = 0;
    const property = fc.property(subject, pattern, (text, random) => {
      // Lua notices some malformed patterns only when a match gets that far.
      if (luaPatternToRegExp(random) === undefined) return;
      translated += 1;
      agree(text, random);
    });
    fc.assert(property, { numRuns: 1000 });
    assert.ok(translated > 500, `only ${translated} of the patterns were comparable`);
  });

  test('are not translated when they balance or are malformed', () => {
    for (const pattern of ['%b()', '%', '[a', '(a', '%f', 'a)'])
      assert.equal(luaPatternToRegExp(pattern), undefined);
  });
});
