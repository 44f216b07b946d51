import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { definitionFromParts } from '../../src/plugin/dedicated.js';
import { definePlugin } from '../../src/plugin/define.js';
import type { PluginClass } from '../../src/plugin/definition.js';
import { PluginLoadError } from '../../src/plugin/errors.js';
import { readExports } from '../../src/plugin/exports.js';

class Plugin {
  access(): void {}
}

function refusal(parts: Partial<Parameters<typeof definePlugin>[0]>): PluginLoadError {
  const whole = { name: 'p', version: '1.0.0', priority: 1, schema: [], Plugin, ...parts };
  try {
    definePlugin(whole, { file: '/plugins/p.ts' });
  } catch (error) {
    assert.ok(error instanceof PluginLoadError);
    return error;
  }
  throw new assert.AssertionError({ message: `accepted ${JSON.stringify(parts)}` });
}

describe('a plugin’s parts', () => {
  test('become a definition with the name in lower case', () => {
    const definition = definitionFromParts('My-Plugin', Plugin, '1.0', -5, [{ a: { type: 'string' } }]);
    const { modifiedAt, loadedAt, ...rest } = definition;
    assert.deepEqual(rest, {
      name: 'my-plugin',
      version: '1.0',
      priority: -5,
      phases: ['access'],
      schema: [{ a: { type: 'string' } }],
      Plugin,
    });
    assert.ok(modifiedAt > 0 && loadedAt > 0);
  });

  test('are refused with the same checks when no file is involved', () => {
    assert.throws(() => definitionFromParts('p', Plugin, 'one', 0, []), {
      code: 'PLUGIN_EXPORTS',
      message: 'the version must be a string like "1.0.0" or "1.0", not "one"',
    });
  });

  test('have the phases in Kong’s order, inherited and static ones told apart, getters never run', () => {
    class Base {
      log(): void {}
      rewrite(): void {}
    }
    class Derived extends Base {
      static response(): void {}
      certificate(): void {}
      get access(): never {
        throw new Error('ran');
      }
      header_filter(): void {}
    }
    const { phases } = definePlugin({
      name: 'p',
      version: '1.0.0',
      priority: 0,
      schema: undefined,
      Plugin: Derived,
    });
    assert.deepEqual(phases, ['certificate', 'rewrite', 'log']);
  });

  test('may be a function with a prototype, as older compilers write classes', () => {
    function Old(this: object): void {}
    Old.prototype.access = () => {};
    const definition = definitionFromParts('p', Old as unknown as PluginClass, '1.0.0', 0, undefined);
    assert.deepEqual(definition.phases, ['access']);
  });

  for (const [what, parts, message] of [
    ['a number for a version', { version: 1 }, /the version must be .* not 1$/],
    ['four parts in a version', { version: '1.2.3.4' }, /not "1\.2\.3\.4"$/],
    ['no version', { version: undefined }, /exports no `version`/],
    ['a fraction for a priority', { priority: 10.5 }, /priority must be an integer, not 10\.5$/],
    ['text for a priority', { priority: '10' }, /priority must be an integer, not "10"$/],
    ['a name with a blank', { name: 'my plugin' }, /name must be .* not "my plugin"$/],
    ['an object for a class', { Plugin: { access() {} } }, /`Plugin` must be a class, not an object$/],
    ['an arrow function for a class', { Plugin: () => {} }, /`Plugin` must be a class, not a function$/],
    ['a class without phases', { Plugin: class {} }, /none of the methods/],
  ] as const) {
    test(`are refused with ${what}`, () => {
      const error = refusal(parts);
      assert.equal(error.code, 'PLUGIN_EXPORTS');
      assert.match(error.message, message);
      assert.ok(error.message.startsWith('/plugins/p.ts: '));
    });
  }

  test('are refused with all their faults at once', () => {
    const { code, reason } = refusal({ version: 'x', schema: [{ a: { type: 'any' } }, { b: {} }] });
    assert.equal(code, 'PLUGIN_EXPORTS');
    assert.match(
      reason,
      /version .*; Schema\.a\.type: expected one of: .*; Schema\.b\.type: required field missing$/,
    );
  });
});

describe('a module’s exports', () => {
  test('are found under a default export and under a default of a default', () => {
    const parts = { Plugin, Version: '2.0.0', Priority: 3, Name: 'N', Schema: [] };
    for (const module of [parts, { default: parts }, { default: { default: parts }, __esModule: true }]) {
      const { validate, prepare, ...read } = readExports(module);
      assert.deepEqual([validate, prepare], [undefined, undefined]);
      assert.deepEqual(read, { name: 'N', version: '2.0.0', priority: 3, schema: [], Plugin });
    }
  });

  test('prefer this server’s spelling, and take no class name for a plugin name', () => {
    assert.equal(readExports({ version: '1.0.0', Version: '2.0.0' }).version, '1.0.0');
    assert.equal(readExports({ default: class Named {} }).name, undefined);
    assert.equal(readExports(undefined).Plugin, undefined);
  });
});
