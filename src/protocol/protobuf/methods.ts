import type { MessageName } from './schema.js';

/** A PDK function that ProtoBuf:1 carries: its wire name, and the messages of its arguments and its result. */
export interface ProtobufMethod {
  readonly name: string;
  readonly args: MessageName;
  readonly result: MessageName;
}

const LOG_LEVELS = 'alert crit err warn notice info debug';

/** Grouped as the protocol's own description groups them: argument message, result message, functions. */
const GROUPS: readonly (readonly [args: MessageName, result: MessageName, names: string])[] = [
  [
    'Empty',
    'String',
    `client.get_ip client.get_forwarded_ip log.serialize nginx.get_tls1_version_str nginx.get_subsystem node.get_id
     request.get_scheme request.get_host request.get_forwarded_scheme request.get_forwarded_host request.get_method
     request.get_path request.get_path_with_query request.get_raw_query response.get_source`,
  ],
  [
    'Empty',
    'Int',
    `client.get_port client.get_forwarded_port request.get_port request.get_forwarded_port response.get_status
     service.response.get_status`,
  ],
  ['Empty', 'AuthenticatedCredential', 'client.get_credential'],
  ['ConsumerSpec', 'Consumer', 'client.load_consumer'],
  ['Empty', 'Consumer', 'client.get_consumer'],
  ['AuthenticateArgs', 'Empty', 'client.authenticate'],
  ['Bool', 'String', 'client.get_protocol'],
  [
    'KV',
    'Empty',
    `ctx.shared.set log.set_serialize_value response.set_header response.add_header service.request.set_header
     service.request.add_header`,
  ],
  ['String', 'Value', 'ctx.shared.get nginx.get_ctx'],
  ['String', 'Bool', 'ip.is_trusted service.set_upstream'],
  ['ListValue', 'Empty', LOG_LEVELS.replace(/\w+/g, 'log.$&')],
  [
    'String',
    'String',
    'nginx.get_var request.get_query_arg request.get_header response.get_header service.response.get_header',
  ],
  ['KV', 'String', 'nginx.set_ctx'],
  ['Empty', 'Number', 'nginx.req_start_time request.get_http_version'],
  ['Empty', 'MemoryStats', 'node.get_memory_stats'],
  [
    'Int',
    'Struct',
    'request.get_query request.get_headers response.get_headers service.response.get_headers',
  ],
  ['Empty', 'RawBodyResult', 'request.get_raw_body'],
  ['Empty', 'UriCapturesResult', 'request.get_uri_captures'],
  ['Int', 'Empty', 'response.set_status'],
  [
    'String',
    'Empty',
    `response.clear_header service.request.set_scheme service.request.set_path service.request.set_raw_query
     service.request.set_method service.request.clear_header`,
  ],
  ['Struct', 'Empty', 'response.set_headers service.request.set_query service.request.set_headers'],
  ['ExitArgs', 'Empty', 'response.exit'],
  ['Empty', 'Route', 'router.get_route'],
  ['Empty', 'Service', 'router.get_service'],
  ['Target', 'Empty', 'service.set_target'],
  ['ByteString', 'Empty', 'service.request.set_raw_body'],
  ['Empty', 'ByteString', 'service.response.get_raw_body'],
];

/** Every PDK function of ProtoBuf:1 by its wire name, e.g. `kong.request.get_headers`. */
export const PROTOBUF_METHODS: ReadonlyMap<string, ProtobufMethod> = new Map(
  GROUPS.flatMap(([args, result, names]) =>
    names.split(/\s+/).map((short): [string, ProtobufMethod] => {
      const name = `kong.${short}`;
      return [name, { name, args, result }];
    }),
  ),
);
