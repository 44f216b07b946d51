/** How one field of a message is written; `message` names the type of a sub-message. */
export type FieldKind =
  | 'string'
  | 'bytes'
  | 'bool'
  | 'int32'
  | 'int64'
  | 'double'
  | 'value'
  | 'struct'
  | 'message'
  | 'string[]'
  | 'bytes[]'
  | 'message[]'
  | 'map<bytes>';

export interface Field {
  readonly number: number;
  readonly name: string;
  readonly kind: FieldKind;
  readonly message?: MessageName;
  /** Written even when it holds its type's default, as members of a oneof are. */
  readonly explicit?: true;
}

type Row = readonly [number: number, name: string, kind: FieldKind, message?: string];

const rows = {
  String: [[1, 'v', 'string']],
  Bool: [[1, 'v', 'bool']],
  Int: [[1, 'v', 'int32']],
  Number: [[1, 'v', 'double']],
  ByteString: [[1, 'v', 'bytes']],
  KV: [
    [1, 'k', 'string'],
    [2, 'v', 'value'],
  ],
  ExitArgs: [
    [1, 'status', 'int32'],
    [2, 'body', 'bytes'],
    [3, 'headers', 'struct'],
  ],
  Target: [
    [1, 'host', 'string'],
    [2, 'port', 'int32'],
  ],
  ConsumerSpec: [
    [1, 'id', 'string'],
    [2, 'by_username', 'bool'],
  ],
  Consumer: [
    [1, 'id', 'string'],
    [2, 'created_at', 'int64'],
    [3, 'username', 'string'],
    [4, 'custom_id', 'string'],
    [5, 'tags', 'string[]'],
  ],
  AuthenticatedCredential: [
    [1, 'id', 'string'],
    [2, 'consumer_id', 'string'],
  ],
  AuthenticateArgs: [
    [1, 'consumer', 'message', 'Consumer'],
    [2, 'credential', 'message', 'AuthenticatedCredential'],
  ],
  RawBodyResult: [
    [1, 'content', 'bytes'],
    [2, 'body_filepath', 'string'],
    [3, 'error', 'string'],
  ],
  UriCapturesResult: [
    [1, 'unnamed', 'bytes[]'],
    [2, 'named', 'map<bytes>'],
  ],
  EntityId: [[1, 'id', 'string']],
  Route: [
    [1, 'id', 'string'],
    [2, 'created_at', 'int64'],
    [3, 'updated_at', 'int64'],
    [4, 'name', 'string'],
    [5, 'protocols', 'string[]'],
    [6, 'methods', 'string[]'],
    [7, 'hosts', 'string[]'],
    [8, 'paths', 'string[]'],
    [9, 'headers', 'string[]'],
    [10, 'https_redirect_status_code', 'int32'],
    [11, 'regex_priority', 'int32'],
    [12, 'strip_path', 'bool'],
    [13, 'preserve_host', 'bool'],
    [14, 'snis', 'string[]'],
    [15, 'sources', 'string[]'],
    [16, 'destinations', 'string[]'],
    [17, 'tags', 'string[]'],
    [18, 'service', 'message', 'EntityId'],
  ],
  Service: [
    [1, 'id', 'string'],
    [2, 'created_at', 'int64'],
    [3, 'updated_at', 'int64'],
    [4, 'name', 'string'],
    [5, 'retries', 'int32'],
    [6, 'protocol', 'string'],
    [7, 'host', 'string'],
    [8, 'port', 'int32'],
    [9, 'path', 'string'],
    [10, 'connect_timeout', 'int32'],
    [11, 'write_timeout', 'int32'],
    [12, 'read_timeout', 'int32'],
    [13, 'tags', 'string[]'],
    [14, 'client_certificate', 'message', 'EntityId'],
  ],
  SharedDict: [
    [1, 'allocated_slabs', 'int64'],
    [2, 'capacity', 'int64'],
  ],
  SharedDicts: [
    [1, 'kong', 'message', 'SharedDict'],
    [2, 'kong_db_cache', 'message', 'SharedDict'],
  ],
  WorkerLuaVm: [
    [1, 'http_allocated_gc', 'int64'],
    [2, 'pid', 'int64'],
  ],
  MemoryStats: [
    [1, 'lua_shared_dicts', 'message', 'SharedDicts'],
    [2, 'workers_lua_vms', 'message[]', 'WorkerLuaVm'],
  ],
  CmdGetPluginNames: [],
  CmdGetPluginInfo: [[1, 'name', 'string']],
  CmdStartInstance: [
    [1, 'name', 'string'],
    [2, 'config', 'bytes'],
  ],
  CmdInstance: [[1, 'instance_id', 'int32']],
  CmdHandleEvent: [
    [1, 'instance_id', 'int32'],
    [2, 'event_name', 'string'],
  ],
  RpcCall: [
    [1, 'sequence', 'int64'],
    [31, 'cmd_get_plugin_names', 'message', 'CmdGetPluginNames'],
    [32, 'cmd_get_plugin_info', 'message', 'CmdGetPluginInfo'],
    [33, 'cmd_start_instance', 'message', 'CmdStartInstance'],
    [34, 'cmd_get_instance_status', 'message', 'CmdInstance'],
    [35, 'cmd_close_instance', 'message', 'CmdInstance'],
    [36, 'cmd_handle_event', 'message', 'CmdHandleEvent'],
  ],
  PluginNames: [[1, 'names', 'string[]']],
  PluginInfo: [
    [1, 'name', 'string'],
    [2, 'updated_at', 'int64'],
    [3, 'loaded_at', 'int64'],
    [4, 'phases', 'string[]'],
    [5, 'version', 'string'],
    [6, 'priority', 'int32'],
    [7, 'schema', 'string'],
  ],
  InstanceStatus: [
    [1, 'name', 'string'],
    [2, 'instance_id', 'int32'],
    [3, 'config', 'value'],
    [4, 'started_at', 'int64'],
  ],
  RpcReturn: [
    [1, 'sequence', 'int64'],
    [31, 'plugin_names', 'message', 'PluginNames'],
    [32, 'plugin_info', 'message', 'PluginInfo'],
    [33, 'instance_status', 'message', 'InstanceStatus'],
  ],
} satisfies Record<string, readonly Row[]>;

type Described = keyof typeof rows;

/** The messages of package `kong_plugin_protocol`, and the well-known types that PDK calls use by themselves. */
export type MessageName = Described | 'Empty' | 'Value' | 'Struct' | 'ListValue';

/** RawBodyResult is one oneof: whichever member is set is written, empty or not. */
const ONEOF_MESSAGES: ReadonlySet<string> = new Set(['RawBodyResult']);

/** The fields of each described message, in the order of their numbers. */
export const FIELDS: ReadonlyMap<MessageName, readonly Field[]> = new Map(
  Object.entries(rows).map(([name, fields]) => [
    name as Described,
    (fields as readonly Row[]).map(([number, field, kind, message]) => ({
      number,
      name: field,
      kind,
      ...(message === undefined ? {} : { message: message as MessageName }),
      ...(ONEOF_MESSAGES.has(name) ? { explicit: true as const } : {}),
    })),
  ]),
);
