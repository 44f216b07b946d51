import { kongSettings } from '../plugin/kong-conf.js';
import { configLines, pluginFiles, type ScaffoldFile } from './plugin.js';

/** What a new project is made of. */
export interface ProjectOptions {
  /** The package's name: lower case, fit for npm. */
  readonly name: string;
  /** Its first plugin. */
  readonly plugin: string;
  /** Where npm gets kong-ts-pluginserver from: a version, or anything else that npm takes. */
  readonly packageSpec: string;
  /** Versions of the tools, by name. */
  readonly tools: Readonly<Record<'@types/node' | 'tsx' | 'typescript', string>>;
}

/** The files of a project: one plugin with its test, and what it takes to try, check, test and deploy it. */
export function projectFiles(options: ProjectOptions): ScaffoldFile[] {
  const { plugin } = options;
  return [
    { path: 'package.json', text: packageJson(options) },
    { path: 'tsconfig.json', text: TSCONFIG },
    { path: 'tsconfig.build.json', text: TSCONFIG_BUILD },
    { path: 'kong.yml', text: kongYml(plugin) },
    { path: 'Dockerfile', text: dockerfile(plugin) },
    { path: '.dockerignore', text: 'node_modules\ndist\n.git\n' },
    { path: '.gitignore', text: 'node_modules\ndist\n' },
    ...pluginFiles(plugin).map(({ path, text }) => ({ path: `plugins/${path}`, text })),
  ];
}

function packageJson({ name, packageSpec, tools }: ProjectOptions): string {
  const content = {
    name,
    version: '0.1.0',
    private: true,
    type: 'module',
    engines: { node: '>=20.19' },
    scripts: {
      start: 'kong-ts-pluginserver dev --plugins-directory plugins',
      test: 'node --import tsx --test plugins/*/*.test.ts',
      check: 'tsc && kong-ts-pluginserver check --plugins-directory plugins kong.yml',
      build: 'tsc -p tsconfig.build.json',
    },
    dependencies: { 'kong-ts-pluginserver': packageSpec },
    devDependencies: tools,
  };
  return `${JSON.stringify(content, undefined, 2)}\n`;
}

const TSCONFIG = `{
  "compilerOptions": {
    "target": "ES2022",
    "lib": ["ES2023", "ESNext.Disposable"],
    "module": "NodeNext",
    "strict": true,
    "noUncheckedIndexedAccess": true,
    "skipLibCheck": true,
    "verbatimModuleSyntax": true,
    "allowImportingTsExtensions": true,
    "types": ["node"],
    "noEmit": true
  },
  "include": ["plugins"]
}
`;

const TSCONFIG_BUILD = `{
  "extends": "./tsconfig.json",
  "compilerOptions": {
    "noEmit": false,
    "allowImportingTsExtensions": false,
    "rewriteRelativeImportExtensions": true,
    "rootDir": ".",
    "outDir": "dist"
  },
  "exclude": ["plugins/**/*.test.ts"]
}
`;

function kongYml(plugin: string): string {
  return `# Kong's declarative configuration: for "npm start" and, as it is, for Kong.
_format_version: "3.0"

services:
  - name: upstream
    # "npm start" answers requests for this host itself, or sends them to what --upstream names.
    url: http://upstream:8080
    routes:
      - name: all
        paths: [/]

${configLines(plugin)}`;
}

// Kong starts it without PATH; the dashes keep node from taking an --env-file for its own.
const COMMAND = '/usr/local/bin/node -- /opt/plugins/node_modules/.bin/kong-ts-pluginserver';
const PLUGINS = '/opt/plugins/dist/plugins';
const CACHE = '/opt/plugins/node_modules/kong-ts-pluginserver/dist/compile-cache';

function dockerfile(plugin: string): string {
  const settings = kongSettings({
    plugins: [plugin],
    command: COMMAND,
    pluginsDirectory: PLUGINS,
    socket: `/usr/local/kong/${plugin}.sock`,
    workers: 1,
    envFile: undefined,
    dumps: undefined,
  });
  const variables = settings.map(([setting, value]) => {
    const quoted = value.includes(' ') ? `"${value}"` : value;
    return `KONG_${setting.toUpperCase()}=${quoted}`;
  });
  return `# Kong with the plugins of this project. Both images must be of one kind, here Debian's.
ARG KONG_IMAGE=kong:3.9
ARG NODE_IMAGE=node:24-bookworm-slim

FROM \${NODE_IMAGE} AS build
WORKDIR /opt/plugins
COPY . .
# package-lock.json, which "npm install" writes, says what is installed.
RUN npm ci && npm run build && npm prune --omit=dev

FROM \${KONG_IMAGE}
USER root
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /opt/plugins /opt/plugins
COPY kong.yml /etc/kong/kong.yml
# Node's compile cache makes the start faster. It is kept per user, so it is filled by the one who runs, who may not
# write to it afterwards. Fails the build, not the gateway, when a plugin cannot be loaded.
RUN install -d -o kong ${CACHE}
USER kong
RUN ${COMMAND} --dump -d ${PLUGINS} >/dev/null && \\
    { timeout 3 ${COMMAND} -d ${PLUGINS} --socket /tmp/warm-up.sock || true; }
USER root
RUN chown -R root ${CACHE} && chmod -R a+rX,a-w ${CACHE}
ENV KONG_DATABASE=off \\
    KONG_DECLARATIVE_CONFIG=/etc/kong/kong.yml \\
    ${variables.join(' \\\n    ')}
USER kong
`;
}
