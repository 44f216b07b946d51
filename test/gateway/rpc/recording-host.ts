import {
  LuaError,
  type LuaValue,
  type PdkHost,
  ResponseExit,
  UnknownPdkMethod,
} from '../../../src/gateway/plugin-port.js';

/** What the recorded requests' PDK functions returned; setters return nothing. */
const RESULTS: Record<string, LuaValue> = {
  'kong.request.get_headers': { connection: 'close', host: 'cap.test' },
  'kong.request.get_header': 'cap.test',
  'kong.request.get_method': 'GET',
  'kong.request.get_path': '/',
  'kong.request.get_raw_query': '',
};

/** Answers as the requests of the recorded conversations did, and notes what was called. */
export class RecordingHost implements PdkHost {
  readonly calls: { method: string; args: readonly LuaValue[] }[] = [];

  call(method: string, args: readonly LuaValue[]): LuaValue {
    this.calls.push({ method, args });
    if (method === 'kong.response.exit') throw new ResponseExit();
    if (method === 'kong.service.response.get_status') {
      throw new LuaError('function cannot be called in access phase');
    }
    if (method.startsWith('kong.no.')) throw new UnknownPdkMethod(method);
    return RESULTS[method];
  }
}
