import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Editors write a file in several steps. */
const QUIET_MS = 150;

/** Calls back once a change below the folder has settled. Returns what ends the watching. */
export function watchFolder(folder: string, onChange: () => void): () => void {
  return debounced(watch(folder, { recursive: true }), () => true, onChange);
}

/** Calls back once a change of the file has settled, also when it was replaced by another. */
export function watchFile(file: string, onChange: () => void): () => void {
  const name = basename(file);
  return debounced(watch(dirname(file)), (changed) => changed === name, onChange);
}

function debounced(
  watcher: FSWatcher,
  isWanted: (name: string | null) => boolean,
  onChange: () => void,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  watcher.on('change', (_event, name) => {
    if (!isWanted(name === null ? null : String(name))) return;
    clearTimeout(timer);
    timer = setTimeout(onChange, QUIET_MS);
  });
  // The folder itself is gone: there is nothing left to tell.
  watcher.on('error', () => watcher.close());
  return () => {
    clearTimeout(timer);
    watcher.close();
  };
}
