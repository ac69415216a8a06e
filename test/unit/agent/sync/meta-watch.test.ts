import { expect } from 'chai';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { watchMeta } from '../../../../agent/sync/meta-watch.js';
import { silentLogger } from '../../../../shared/log/logger.js';
import { eventually } from '../../../support/eventually.js';

describe('watching the meta directory', () => {
  let directory: string;
  let stop: AbortController;
  let watching: Promise<void>;
  let changes: number;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'meta-watch-'));
    stop = new AbortController();
    changes = 0;
  });
  afterEach(async () => {
    stop.abort();
    await watching;
    await rm(directory, { recursive: true, force: true });
  });

  function start(metaDir: string, isPolling = false): void {
    const onChange = () => (changes += 1);
    watching = watchMeta({ metaDir, isPolling, onChange, logger: silentLogger() }, stop.signal);
  }

  /** As influxd commits: a temporary file, renamed over meta.db. */
  async function commit(metaDir: string, content: string): Promise<void> {
    await writeFile(join(metaDir, 'meta.dbtmp'), content);
    await rename(join(metaDir, 'meta.dbtmp'), join(metaDir, 'meta.db'));
  }

  for (const isPolling of [false, true]) {
    const how = isPolling ? 'by polling' : 'by events';
    it(`tells each of many commits in a row at least by the last one, ${how}`, async () => {
      start(directory, isPolling);
      await eventually(() => changes > 0, { what: 'the watch to stand' });
      for (let count = 0; count < 3; count += 1) {
        const before = changes;
        await commit(directory, `first ${count}`);
        await commit(directory, `second ${count}`);
        await eventually(() => changes > before);
      }
    });
  }

  it('waits for a directory that is not there yet, and finds it again when it was made anew', async () => {
    const metaDir = join(directory, 'meta');
    start(metaDir);
    await mkdir(metaDir);
    await commit(metaDir, 'one');
    await eventually(() => changes > 0);
    await rm(metaDir, { recursive: true });
    await mkdir(metaDir);
    const before = changes;
    await eventually(async () => {
      await commit(metaDir, `again ${performance.now()}`);
      return changes > before;
    });
  });

  it('ends at once', async () => {
    start(directory);
    await eventually(() => changes > 0);
    const startedMs = performance.now();
    stop.abort();
    await watching;
    expect(performance.now() - startedMs).to.be.below(500);
  });
});
