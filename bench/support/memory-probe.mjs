// Preloaded into a measured process: asked over its IPC channel, it collects garbage and tells its memory. Does nothing else.
process.on('message', () => {
  // Twice, because what the first run finds may only be freed by the second.
  globalThis.gc();
  globalThis.gc();
  setTimeout(() => process.send(process.memoryUsage()), 100);
});
// The channel must not keep the process running when it shall stop.
process.channel.unref();
