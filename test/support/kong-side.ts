import { pluginCatalog } from '../../src/gateway/config/catalog.js';
import { parseDeclarativeConfig } from '../../src/gateway/config/parse.js';
import { startEchoUpstream } from '../../src/gateway/echo-upstream.js';
import { createGateway } from '../../src/gateway/gateway.js';
import { ProtobufCaller } from '../../src/gateway/rpc/protobuf-caller.js';
import { loadPlugins } from '../../src/plugin/loader.js';

// The local gateway as a process of its own, for tests where Kong is another user than the plugin server:
//   kong-side.ts PLUGINS_DIRECTORY PLUGIN SOCKET

const [directory = '', name = '', socketPath = ''] = process.argv.slice(2);
const { plugins } = await loadPlugins(directory, { only: [name] });
const upstream = await startEchoUpstream();
const { config } = parseDeclarativeConfig(
  JSON.stringify({
    _format_version: '3.0',
    services: [
      {
        name: 'echo',
        url: `http://127.0.0.1:${upstream.port}`,
        routes: [{ name: 'all', paths: ['/'], plugins: [{ name }] }],
      },
    ],
  }),
  'kong-side',
  pluginCatalog(plugins),
);
const log = (level: string, text: string) => process.stderr.write(`[${level}] ${text}\n`);
const caller = new ProtobufCaller({ socketPath, log });
const gateway = await createGateway({ config, plugins, caller, log, port: 0 });
const { port } = await gateway.listen();
process.stdout.write(`gateway at ${port}, uid ${process.getuid?.()}\n`);
