const LOOK_MS = 1;

/** Waits until something is so, or until a time on the clock of `performance.now`, whichever comes first. */
export async function waitUntil(condition: () => boolean, deadline: number): Promise<void> {
  while (!condition() && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
