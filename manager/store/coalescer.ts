// Shares one read among all who ask while it is not yet under way. A caller never joins a read that began before it asked,
// so that what it gets is as fresh as a read of its own.

export class Coalescer<T> {
  private running: Promise<T> | undefined;
  private next: Promise<T> | undefined;

  constructor(private readonly read: () => Promise<T>) {}

  run(): Promise<T> {
    if (this.running === undefined) return this.start();
    this.next ??= this.afterRunning(this.running);
    return this.next;
  }

  private start(): Promise<T> {
    const running = this.read().finally(() => {
      if (this.running === running) this.running = undefined;
    });
    this.running = running;
    return running;
  }

  private async afterRunning(running: Promise<T>): Promise<T> {
    // How the earlier read ended is its own callers' matter.
    await running.then(
      () => undefined,
      () => undefined,
    );
    this.next = undefined;
    return this.start();
  }
}
