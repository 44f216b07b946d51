export type {
  ExchangeRecord,
  PdkCall,
  PluginRun,
  RecordedError,
  RecordedLogLine,
  RecordedValue,
  RunOutcome,
} from '../inspector/record.js';
export { TestKitError, type TestKitErrorCode } from './errors.js';
export { type FakeKong, type FakeKongOptions, type FakeOutcome, fakeKong } from './fake-kong.js';
export { TestMessage } from './message.js';
export type { TestPlugins } from './plugins.js';
export type { TestRequestInit } from './request.js';
export {
  startTestGateway,
  type TestExchange,
  type TestGateway,
  type TestGatewayOptions,
  type TestRoute,
} from './test-gateway.js';
export type { TestUpstreamAnswer, TestUpstreamHandler, TestUpstreamRequest } from './upstream.js';
