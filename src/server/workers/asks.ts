/** Questions to another process that are still to be answered. */
export class Asks<Answer> {
  private readonly open = new Map<
    number,
    { resolve: (answer: Answer) => void; reject: (error: Error) => void }
  >();
  private last = 0;

  /** Puts a question: `send` gets its number. @throws Error when the other process goes before it answers */
  put(send: (ask: number) => void): Promise<Answer> {
    const ask = ++this.last;
    return new Promise((resolve, reject) => {
      this.open.set(ask, { resolve, reject });
      send(ask);
    });
  }

  answer(ask: number, answer: Answer): void {
    const waiting = this.open.get(ask);
    this.open.delete(ask);
    waiting?.resolve(answer);
  }

  /** Nobody is going to answer any more. */
  fail(error: Error): void {
    for (const { reject } of this.open.values()) reject(error);
    this.open.clear();
  }
}
