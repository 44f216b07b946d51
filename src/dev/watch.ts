import { type FSWatcher, readdirSync, type Stats, statSync, watch } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** Editors and git write in several steps. */
const QUIET_MS = 100;
/** A folder in which something is written all the time is looked at nevertheless. */
const LONGEST_WAIT_MS = 1000;

/** One file that is no longer what it was. */
export interface FileChange {
  readonly path: string;
  readonly kind: 'changed' | 'added' | 'removed';
}

/** What to look after: files, and everything below folders but hidden files and `node_modules`. */
export interface WatchTargets {
  readonly files?: readonly string[];
  readonly folders?: readonly string[];
}

interface Watched {
  readonly watcher: FSWatcher;
  readonly id: string;
}

/**
 * Calls back once a change has settled, with what has changed.
 *
 * Every way of writing a file is noticed: in place, by a rename over it, by removing and writing anew, whole folders
 * that go and come back. What the system reports of a folder is only taken as a hint to look: what has changed is what
 * differs from the last look. (Node's own recursive watching loses files that are renamed over on Linux.)
 */
export class SourceWatcher {
  readonly #onChange: (changes: FileChange[]) => void;
  readonly #watched = new Map<string, Watched>();
  #targets: WatchTargets;
  #seen: Map<string, string>;
  #timer: NodeJS.Timeout | undefined;
  #firstHintAt = 0;
  #closed = false;

  constructor(targets: WatchTargets, onChange: (changes: FileChange[]) => void) {
    this.#targets = targets;
    this.#onChange = onChange;
    this.#seen = this.#look();
  }

  /** Looks after something else from now on. Nothing is reported that comes or goes with that. */
  retarget(targets: WatchTargets): void {
    if (this.#closed) return;
    const before = this.#seen;
    this.#targets = targets;
    const now = this.#look();
    // What was looked after before may have changed meanwhile, and that is to be told.
    this.#seen = new Map([...now].map(([path, stamp]) => [path, before.get(path) ?? stamp]));
    if ([...now].some(([path, stamp]) => this.#seen.get(path) !== stamp)) this.#hint();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const { watcher } of this.#watched.values()) watcher.close();
    this.#watched.clear();
  }

  /** The files there are with what tells their states apart. Folders found on the way are watched. */
  #look(): Map<string, string> {
    for (;;) {
      const files = new Map<string, string>();
      const folders = new Map<string, string>();
      for (const folder of this.#targets.folders ?? []) {
        noteFolder(dirname(resolve(folder)), folders);
        walk(resolve(folder), files, folders);
      }
      for (const file of this.#targets.files ?? []) {
        const path = resolve(file);
        noteFolder(dirname(path), folders);
        const stats = statSync(path, { throwIfNoEntry: false });
        if (stats?.isFile()) files.set(path, stampOf(stats));
      }
      // What was written into a new folder before it was watched is found by a second look.
      if (!this.#watch(folders)) return files;
    }
  }

  /** @returns whether a folder was not watched before */
  #watch(folders: ReadonlyMap<string, string>): boolean {
    for (const [path, { watcher, id }] of this.#watched) {
      if (folders.get(path) === id) continue;
      watcher.close();
      this.#watched.delete(path);
    }
    let more = false;
    for (const [path, id] of folders) {
      if (this.#watched.has(path)) continue;
      const watcher = tryWatch(path, () => this.#hint());
      if (watcher === undefined) continue;
      this.#watched.set(path, { watcher, id });
      more = true;
    }
    return more;
  }

  #hint(): void {
    if (this.#closed) return;
    const now = Date.now();
    if (this.#timer === undefined) this.#firstHintAt = now;
    clearTimeout(this.#timer);
    const wait = Math.min(QUIET_MS, Math.max(0, this.#firstHintAt + LONGEST_WAIT_MS - now));
    this.#timer = setTimeout(() => this.#compare(), wait);
  }

  #compare(): void {
    this.#timer = undefined;
    const before = this.#seen;
    const now = this.#look();
    this.#seen = now;
    const changes: FileChange[] = [];
    for (const [path, stamp] of now) {
      const old = before.get(path);
      if (old !== stamp) changes.push({ path, kind: old === undefined ? 'added' : 'changed' });
    }
    for (const path of before.keys()) if (!now.has(path)) changes.push({ path, kind: 'removed' });
    if (changes.length > 0) this.#onChange(changes);
  }
}

/** A folder, or what is left of the way to it: it is in there that it will come back. */
function noteFolder(path: string, folders: Map<string, string>): void {
  for (let folder = path; ; folder = dirname(folder)) {
    const stats = statSync(folder, { throwIfNoEntry: false });
    if (stats?.isDirectory()) {
      folders.set(folder, idOf(stats));
      return;
    }
    if (folder === dirname(folder)) return;
  }
}

function walk(folder: string, files: Map<string, string>, folders: Map<string, string>): void {
  const stats = statSync(folder, { throwIfNoEntry: false });
  // A link may lead back up.
  if (!stats?.isDirectory() || folders.get(folder) === idOf(stats)) {
    if (stats === undefined) noteFolder(dirname(folder), folders);
    return;
  }
  folders.set(folder, idOf(stats));
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    // Gone since, or not for us to read: the next look will tell.
    return;
  }
  for (const name of names) {
    if (name.startsWith('.') || name === 'node_modules') continue;
    const path = join(folder, name);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory()) {
      if (![...folders.values()].includes(idOf(found))) walk(path, files, folders);
    } else if (found?.isFile() && !isScratch(name)) {
      files.set(path, stampOf(found));
    }
  }
}

/** What a folder is, whatever it is called. */
function idOf({ dev, ino }: Stats): string {
  return `${dev}:${ino}`;
}

/** What editors leave beside the files that they write. */
function isScratch(name: string): boolean {
  return /~$|\.(?:swp|swx|tmp|bak|orig)$|^#.*#$|^4913$|\.tmp\.|___jb_/.test(name);
}

/** The time of change tells of every write; the inode, of another file in its place. */
function stampOf({ ino, size, ctimeMs, mtimeMs }: Stats): string {
  return `${ino}:${size}:${mtimeMs}:${ctimeMs}`;
}

function tryWatch(path: string, onHint: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(path, onHint);
    // The folder is gone: a look at its parent finds that out.
    watcher.on('error', onHint);
    return watcher;
  } catch {
    // Gone between the look and now; its parent is watched.
    return undefined;
  }
}

/** Names changed files as one would type them here, the first few of them. */
export function describeChanges(changes: readonly FileChange[], shorten: (path: string) => string): string {
  const shown = changes
    .slice(0, 3)
    .map(({ path, kind }) => (kind === 'changed' ? shorten(path) : `${shorten(path)} (${kind})`));
  const more = changes.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}
