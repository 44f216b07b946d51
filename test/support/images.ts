import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Why images are not built; false when they can be. */
export const imagesLeftOut = leftOut();

function leftOut(): string | false {
  if (process.getuid?.() !== 0) return 'left out: only root can build images without a container engine';
  for (const program of ['buildah', 'mmdebstrap', 'unshare']) {
    const { error } = spawnSync(program, ['--version'], { stdio: 'ignore' });
    if (error !== undefined) return `left out: ${program} is not installed`;
  }
  return false;
}

/** What of Debian's packages a script, node and Kong's user need; mmdebstrap adds what they depend on. */
const PACKAGES = 'base-files,bash,coreutils,dash,grep,sed,findutils,libstdc++6';

const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

const NODE_BASE = `FROM scratch
ADD base.tar /
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
COPY accounts/ ca-certificates.cr[t] /etc/
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && node --version
ENV NODE_EXTRA_CA_CERTS=/etc/ca-certificates.crt
`;

// Kong's own image has this user and this prefix; Kong itself is in it, too, which cannot be had from Debian's packages.
const KONG_BASE = `FROM scratch
ADD base.tar /
COPY accounts/ /etc/
RUN install -d -o kong /usr/local/kong && install -d /etc/kong
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
USER kong
`;

/** What of an image's configuration says how a container runs. */
interface ImageConfig {
  readonly User: string;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
}

/**
 * Images built by buildah from the Dockerfiles as they stand, on stand-ins for Node's and Kong's own images, which are
 * made of Debian's packages, npm's package `node` and this machine's npm.
 */
export class Images {
  private readonly folder = mkdtempSync(join(tmpdir(), 'kts-images-'));
  private readonly storage = ['--root', join(this.folder, 'root'), '--runroot', join(this.folder, 'run')];

  /** Makes the stand-ins under the names that the Dockerfiles have for the real ones. */
  makeBases(): void {
    const context = join(this.folder, 'bases');
    mkdirSync(join(context, 'accounts'), { recursive: true });
    execFileSync(
      'mmdebstrap',
      [
        ...['--quiet', '--variant=extract', `--include=${PACKAGES}`],
        ...['--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr', 'bookworm', join(context, 'base.tar')],
      ],
      { stdio: 'pipe' },
    );
    writeFileSync(
      join(context, 'accounts/passwd'),
      'root:x:0:0::/root:/bin/sh\nkong:x:1000:1000::/home/kong:/bin/sh\n',
    );
    writeFileSync(join(context, 'accounts/group'), 'root:x:0:\nkong:x:1000:\n');
    copyFileSync(this.nodeOfImages(), join(context, 'node'));
    cpSync(npmFolder(), join(context, 'npm'), { recursive: true });
    if (existsSync(CERTIFICATES)) copyFileSync(CERTIFICATES, join(context, 'ca-certificates.crt'));
    for (const [tags, text] of [
      [['node:24-bookworm-slim', 'node:24-slim'], NODE_BASE],
      [['kong:3.9'], KONG_BASE],
    ] as const) {
      writeFileSync(join(context, 'Dockerfile'), text);
      const [first = '', ...others] = tags;
      this.build(context, 'Dockerfile', first);
      for (const tag of others) this.buildah('tag', first, tag);
    }
  }

  /** Node of the version that the images have, which is not the one that runs this. */
  private nodeOfImages(): string {
    const folder = join(this.folder, 'node');
    mkdirSync(folder);
    execFileSync('npm', ['install', '--prefix', folder, '--no-save', '--prefer-offline', 'node@24'], {
      stdio: 'pipe',
    });
    const require = createRequire(join(folder, 'package.json'));
    return join(dirname(require.resolve('node/package.json')), 'bin/node');
  }

  /** @throws Error with everything that the build wrote */
  build(context: string, dockerfile: string, tag: string): void {
    const cache = execFileSync('npm', ['config', 'get', 'cache'], { encoding: 'utf8' }).trim();
    mkdirSync(cache, { recursive: true });
    this.buildah(
      ...['build', '--isolation', 'chroot', '--pull-never', '--layers', '--volume', `${cache}:/root/.npm`],
      ...['-f', join(context, dockerfile), '-t', tag, context],
    );
  }

  /** A container of an image: its files, and how it would be run. */
  container(tag: string): Container {
    const name = this.buildah('from', '--pull-never', tag);
    const inspected = JSON.parse(this.buildah('inspect', '--type', 'image', tag));
    return new Container(this.buildah('mount', name), inspected.OCIv1.config);
  }

  /** Removes everything. */
  remove(): void {
    this.buildah('rm', '--all');
    rmSync(this.folder, { recursive: true, force: true });
  }

  private buildah(...[command = '', ...args]: readonly string[]): string {
    const all = [...this.storage, command, ...args];
    const { status, stdout, stderr } = spawnSync('buildah', all, { encoding: 'utf8', maxBuffer: 1 << 26 });
    if (status === 0) return stdout.trim();
    throw new Error(`buildah ${command} ${args.join(' ')}:\n${stdout}\n${stderr}`);
  }
}

// The root of the container, read only, with one folder of the machine's in it and what a system has of its own.
const ENTER = `set -e
root=$1 user=$2 outside=$3 inside=$4; shift 4
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount --bind "$outside" "$root$inside"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot --userspec "$user" "$root" "$@"`;

/** The files of a container, in which processes run as its user and may write to one volume only. */
export class Container {
  readonly root: string;
  readonly config: ImageConfig;

  constructor(root: string, config: ImageConfig) {
    this.root = root;
    this.config = config;
  }

  /** What the container is started with. */
  get command(): readonly string[] {
    return [...(this.config.Entrypoint ?? []), ...(this.config.Cmd ?? [])];
  }

  /** The variables of the image. */
  get variables(): ReadonlyMap<string, string> {
    return new Map(
      (this.config.Env ?? []).map((entry): [string, string] => {
        const at = entry.indexOf('=');
        return [entry.slice(0, at), entry.slice(at + 1)];
      }),
    );
  }

  /**
   * What has to stand before a command for it to run inside, with the environment that Kong gives to what it starts:
   * none.
   *
   * @param outside the folder of this machine that is the volume
   * @param inside where it is in the container
   */
  runner(outside: string, inside: string): readonly string[] {
    const user = this.config.User.includes(':') ? this.config.User : `${this.config.User}:`;
    return [
      ...['unshare', '--mount', '--propagation', 'private', '/bin/sh', '-c', ENTER, 'sh'],
      ...[this.root, user, outside, inside, '/usr/bin/env', '-i'],
    ];
  }
}

function npmFolder(): string {
  const root = execFileSync('npm', ['root', '-g'], { encoding: 'utf8' }).trim();
  return join(root, 'npm');
}
