import type { LogLevel } from '../log.js';
import { LuaError, type LuaValue } from '../plugin-port.js';
import { isTable, luaText, stringArgument } from './arguments.js';
import { type HostContext, type HostFunction, type HostFunctions, setter } from './context.js';
import { serializeExchange } from './serialize.js';

/** The line that Kong writes to nginx's error log for a plugin, with nginx's context behind it. */
export function logLine({ exchange, phase, plugin }: HostContext, text: string): string {
  const line = `[kong] [${plugin}] ${text}`;
  if (phase === 'log') {
    return `${line}, context: ngx.timer`;
  }
  const { clientIp, originalMethod, target, httpVersion, hostHeader, id } = exchange;
  const host = hostHeader === undefined ? '' : `, host: "${hostHeader}"`;
  return `${line}, client: ${clientIp}, server: kong, request: "${originalMethod} ${target} HTTP/${httpVersion}"${host}, request_id: "${id}"`;
}

const set = setter();

function logAt(level: LogLevel): HostFunction {
  return set((context, args) => {
    if (args.length === 0) {
      throw new LuaError("bad argument #1 to 'select' (index out of range)");
    }
    // A trailing nil is no text: Lua's own concatenation stops short of it.
    const text = args.map((value) => (value === undefined ? '' : luaText(value))).join('');
    const { plugin, phase } = context;
    context.node.log(level, logLine(context, text), { plugin, phase, message: text });
  });
}

function setSerializeValue({ exchange }: HostContext, [name, value, options]: readonly LuaValue[]): void {
  const key = stringArgument(name, 'key');
  const mode = (isTable(options) && !Array.isArray(options) ? options.mode : undefined) ?? 'set';
  if (mode !== 'set' && mode !== 'add' && mode !== 'replace') {
    throw new LuaError("mode must be 'set', 'add' or 'replace'");
  }
  exchange.serializeValues.push({ key, value, mode });
}

/** How Kong's inspect writes a value: texts in quotes, tables with what is in them. */
function inspected(value: LuaValue, indent = '  '): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (!isTable(value)) return luaText(value);
  const members = Array.isArray(value)
    ? value.map((item) => inspected(item, `${indent}  `))
    : Object.entries(value).map(([key, item]) => `${key} = ${inspected(item, `${indent}  `)}`);
  if (members.length === 0) return '{}';
  return `{\n${members.map((member) => `${indent}${member}`).join(',\n')}\n${indent.slice(2)}}`;
}

const notice = logAt('notice');
const warn = logAt('warn');

const inspect: HostFunction = {
  run: (context, args) => notice.run(context, [args.map((arg) => inspected(arg)).join(' ')]),
};

/** An object at the end tells when the thing is deprecated and when it goes. */
const deprecation: HostFunction = {
  run: (context, args) => {
    const last = args.at(-1);
    const isNote = isTable(last) && !Array.isArray(last);
    const { after, removal } = isNote ? last : {};
    const notes = [
      ...(after === undefined ? [] : [`deprecated after ${luaText(after)}`]),
      ...(removal === undefined ? [] : [`scheduled for removal in ${luaText(removal)}`]),
    ];
    const words = isNote ? args.slice(0, -1) : args;
    return warn.run(context, notes.length === 0 ? words : [...words, ` (${notes.join(', ')})`]);
  },
};

/** `kong.log`. */
export const logFunctions: HostFunctions = {
  'kong.log': notice,
  'kong.log.inspect': inspect,
  'kong.log.alert': logAt('alert'),
  'kong.log.crit': logAt('crit'),
  'kong.log.err': logAt('error'),
  'kong.log.warn': warn,
  'kong.log.deprecation': deprecation,
  'kong.log.notice': logAt('notice'),
  'kong.log.info': logAt('info'),
  'kong.log.debug': logAt('debug'),
  'kong.log.set_serialize_value': set(setSerializeValue),
  'kong.log.serialize': {
    phases: ['log'],
    run: ({ exchange }) => serializeExchange(exchange),
  },
};
