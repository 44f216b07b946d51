import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { definitionFromParts } from '../../src/plugin/dedicated.js';
import { dump, pluginInfo } from '../../src/plugin/dump.js';
import { DUMPS } from './captures.js';

class Plugin {
  access(): void {}
}

const definition = definitionFromParts('cap-a', Plugin, '1.0.0', 10, [{ message: { type: 'string' } }]);

function accepted(name: string): string {
  const capture = DUMPS.find((item) => item.name === name);
  assert.ok(capture?.kongStarts);
  return capture.stdout;
}

describe('the dump', () => {
  test('is what Kong accepts for ProtoBuf:1', () => {
    const text = dump([definition], { protocol: 'ProtoBuf:1', socket: '/var/kng/d/pb.sock' });
    assert.deepEqual(JSON.parse(text), JSON.parse(accepted('object_protobuf')));
    assert.ok(text.startsWith('{"Protocol":"ProtoBuf:1","Socket":"/var/kng/d/pb.sock","Plugins":[{'));
  });

  test('is what Kong accepts for MsgPack:1: a bare array', () => {
    const text = dump([definition], { protocol: 'MsgPack:1', socket: '/ignored' });
    assert.deepEqual(JSON.parse(text), JSON.parse(accepted('bare_array')));
  });

  test('carries checks across fields in the config record', () => {
    const schema = { fields: [{ a: { type: 'string' } }], entity_checks: [{ at_least_one_of: ['a'] }] };
    const info = pluginInfo(definitionFromParts('p', Plugin, '1.0.0', 0, schema));
    assert.deepEqual(info.Schema.fields, [{ config: { type: 'record', ...schema } }]);
  });

  test('leaves out what Kong before 3.4 does not know, unless it is asked for', () => {
    const notes = { description: 'a text of ten characters', examples: ['a'] };
    const plain = (more: object) => [
      { description: { type: 'string', ...more } },
      { list: { type: 'array', elements: { type: 'record', fields: [{ a: { type: 'string', ...more } }] } } },
      { map: { type: 'map', keys: { type: 'string', ...more }, values: { type: 'string', ...more } } },
    ];
    const noted = definitionFromParts('p', Plugin, '1.0.0', 0, plain(notes));
    const fields = (options: object) => {
      const text = dump([noted], { protocol: 'MsgPack:1', socket: '', ...options });
      return JSON.parse(text)[0].Schema.fields[0].config.fields;
    };
    assert.deepEqual(fields({}), plain({}));
    assert.deepEqual(fields({ descriptions: true }), plain(notes));
  });

  test('says that a plugin cannot be configured for a consumer', () => {
    const [, ours] = pluginInfo(definitionFromParts('p', Plugin, '1.0.0', 0, { consumer: null, fields: [] }))
      .Schema.fields;
    const [theirs] = JSON.parse(accepted('schema_consumer_eq_null')).Plugins[0].Schema.fields;
    assert.deepEqual(JSON.parse(JSON.stringify(ours)), theirs);
    assert.throws(
      () => definitionFromParts('p', Plugin, '1.0.0', 0, { consumer: 'x', fields: [] }),
      /Schema.consumer/,
    );
  });

  test('has an array for the fields of a plugin without configuration', () => {
    const text = JSON.stringify(pluginInfo(definitionFromParts('p', Plugin, '1.0.0', 0, undefined)).Schema);
    assert.equal(text, '{"name":"p","fields":[{"config":{"type":"record","fields":[]}}]}');
  });
});
