/**
 * Runs a command of the CLI in this process and gives its exit code and everything it wrote meanwhile. One at a time, and
 * under `node --test`, which takes its report from standard output in bytes.
 */
export async function captureOutput(
  run: () => Promise<number | undefined>,
): Promise<{ code: number | undefined; stdout: string; stderr: string }> {
  const output = { stdout: '', stderr: '' };
  const restore = (['stdout', 'stderr'] as const).map((name) => {
    const stream = process[name];
    const write = stream.write;
    stream.write = ((chunk: string | Uint8Array) => {
      // The test runner reports through standard output as well, in bytes.
      if (typeof chunk !== 'string') return write.call(stream, chunk);
      output[name] += chunk;
      return true;
    }) as typeof stream.write;
    return () => {
      stream.write = write;
    };
  });
  try {
    return { code: await run(), ...output };
  } finally {
    for (const undo of restore) undo();
  }
}
