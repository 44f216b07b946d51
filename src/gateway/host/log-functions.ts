import type { LogLevel } from '../log.js';
import { LuaError, type LuaValue } from '../plugin-port.js';
import { luaText, stringArgument } from './arguments.js';
import type { HostContext, HostFunction, HostFunctions } from './context.js';
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

function logAt(level: LogLevel): HostFunction {
  return {
    run: (context, args) => {
      if (args.length === 0) {
        throw new LuaError("bad argument #1 to 'select' (index out of range)");
      }
      // A trailing nil is no text: Lua's own concatenation stops short of it.
      const text = args.map((value) => (value === undefined ? '' : luaText(value))).join('');
      const { plugin, phase } = context;
      context.node.log(level, logLine(context, text), { plugin, phase, message: text });
      return undefined;
    },
  };
}

function setSerializeValue({ exchange }: HostContext, [key, value]: readonly LuaValue[]): LuaValue {
  exchange.serializeValues[stringArgument(key, 'key')] = value;
  return undefined;
}

/** `kong.log`. */
export const logFunctions: HostFunctions = {
  'kong.log': logAt('notice'),
  'kong.log.alert': logAt('alert'),
  'kong.log.crit': logAt('crit'),
  'kong.log.err': logAt('error'),
  'kong.log.warn': logAt('warn'),
  'kong.log.notice': logAt('notice'),
  'kong.log.info': logAt('info'),
  'kong.log.debug': logAt('debug'),
  'kong.log.set_serialize_value': { run: setSerializeValue },
  'kong.log.serialize': {
    phases: ['log'],
    run: ({ exchange, node }) => serializeExchange(exchange, node),
  },
};
