import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseConfig } from '../../../plugins/customer-verification/config.js';
import { Schema } from '../../../plugins/customer-verification/schema.js';
import { pluginCatalog } from '../../../src/gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../../../src/gateway/config/parse.js';
import { validateConfig } from '../../../src/plugin/schema.js';
import { readSchema } from '../../../src/plugin/schema-definition.js';
import { pluginDefinition } from './rig.js';

const validate = (config: unknown) => validateConfig(Schema.fields, config, Schema.entity_checks);

describe('the configuration', () => {
  it('is a schema that Kong takes', () => {
    assert.deepEqual(readSchema(Schema).faults, []);
  });

  it('cannot be configured for a consumer, whom Kong does not know yet', () => {
    const config = (consumer: object) =>
      parseDeclarativeConfig(
        JSON.stringify({
          _format_version: '3.0',
          consumers: [{ username: 'alice' }],
          plugins: [{ name: 'customer-verification', ...consumer }],
        }),
        'kong.yml',
        pluginCatalog([pluginDefinition()]),
      ).problems;
    assert.deepEqual(config({}), []);
    assert.match(JSON.stringify(config({ consumer: 'alice' })), /consumer.*value must be null/);
  });

  it('has the same defaults in the schema and in the plugin', () => {
    const { config, errors } = validate({});
    assert.deepEqual(errors, []);
    assert.deepEqual(parseConfig(config), parseConfig({}));
  });

  it('behaves as the seed by default', () => {
    const config = parseConfig({ message: 'hello' });
    assert.deepEqual(config.headers, {
      certificateId: 'client-certificate-id',
      signature: 'client-request-signature',
      time: 'client-request-time',
    });
    assert.equal(config.algorithm, 'sha256');
    assert.deepEqual(config.bind, []);
    assert.equal(config.clockSkewMs, 0);
    assert.equal(config.errorStatus, 403);
    assert.equal(config.replayProtection, false);
    assert.equal(config.hideCredentials, false);
    assert.equal(config.consumer, 'none');
  });

  it("ignores Kong's own keys and takes null for absent", () => {
    assert.deepEqual(
      parseConfig({ __key__: 'x', __seq__: 2, route_id: 'y', cache_ttl: null, bind: null }),
      parseConfig({}),
    );
  });

  it('takes header names in any letter case and bind in any order', () => {
    const config = parseConfig({ certificate_header: 'X-Client-Id', bind: ['body', 'method'] });
    assert.equal(config.headers.certificateId, 'x-client-id');
    assert.deepEqual(config.bind, ['method', 'body']);
    assert.deepEqual(parseConfig({ bind: {} }).bind, []);
  });

  // The last column: whether Kong's schema can say it, too.
  const impossible: [Record<string, unknown>, RegExp, boolean][] = [
    [{ replay_protection: true }, /replay_protection.*clock_skew/, true],
    [{ replay_protection: true, clock_skew: 0 }, /replay_protection.*clock_skew/, true],
    [{ algorithm: 'md5' }, /algorithm.*sha256/, true],
    [{ algorithm: 256 }, /algorithm/, true],
    [{ bind: ['host'] }, /bind/, true],
    [{ bind: 'method' }, /bind/, true],
    [{ cache_ttl: -1 }, /cache_ttl/, true],
    [{ cache_ttl: Number.NaN }, /cache_ttl/, true],
    [{ negative_cache_ttl: -0.5 }, /negative_cache_ttl/, true],
    [{ stale_ttl: -1 }, /stale_ttl/, true],
    [{ cache_size: 0 }, /cache_size/, true],
    [{ cache_size: 1.5 }, /cache_size.*whole/, true],
    [{ negative_cache_size: 0 }, /negative_cache_size/, true],
    [{ clock_skew: -1 }, /clock_skew/, true],
    [{ clock_skew: '30' }, /clock_skew/, true],
    [{ error_status: 200 }, /error_status/, true],
    [{ error_status: 600 }, /error_status/, true],
    [{ replay_store: 'disk' }, /replay_store/, true],
    [{ replay_on_error: 'maybe' }, /replay_on_error/, true],
    [{ consumer: 'username' }, /consumer/, true],
    [{ hide_credentials: 'yes' }, /hide_credentials/, true],
    [{ message: 1 }, /message/, true],
    [{ time_header: 'x y' }, /time_header/, true],
    [{ time_header: '' }, /time_header/, true],
    [{ time_header: 'x'.repeat(65) }, /time_header/, true],
    [{ signature_header: 'Host' }, /signature_header.*host/, false],
    [{ certificate_header: 'X-Customer-Id' }, /certificate_header.*x-customer-id/, false],
    [{ certificate_header: 'x_customer-id' }, /certificate_header/, false],
    [{ time_header: 'client-certificate-id' }, /different headers/, false],
  ];
  for (const [config, message, inSchema] of impossible) {
    it(`refuses ${JSON.stringify(config).slice(0, 80)}`, () => {
      assert.throws(
        () => parseConfig(config),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'ERR_CONFIGURATION');
          assert.match(error.message, message);
          return true;
        },
      );
      assert.equal(validate(config).errors.length > 0, inSchema);
    });
  }

  it('takes the bounds themselves', () => {
    const config = {
      cache_ttl: 0,
      stale_ttl: 604_800,
      error_status: 503,
      clock_skew: 0.5,
      replay_protection: true,
    };
    assert.deepEqual(validate(config).errors, []);
    assert.equal(parseConfig(config).clockSkewMs, 500);
  });
});
