// Copies of meta.db are kept while all is well, once per change, and never while the reconciler distrusts what it sees.
import { expect } from 'chai';
import { BackupKeeper } from '../../../../agent/state/backup-keeper.js';
import type { MetaFile } from '../../../../agent/influxd/port.js';
import { AppError } from '../../../../shared/errors/app-error.js';
import { fakeClock } from '../../../../shared/lifecycle/clock.js';
import { memoryLogger } from '../../../../shared/log/logger.js';
import { emptyData } from '../../../../shared/meta/snapshot.js';

describe('the keeper of backups', () => {
  it('keeps one per change while all is well, and tries again after trouble', async () => {
    const clock = fakeClock();
    const logger = memoryLogger();
    let saves = 0;
    let content: string | undefined;
    let file: MetaFile = { kind: 'missing' };
    let isFull = false;
    const keeper = new BackupKeeper({
      backups: {
        save: async () => {
          if (isFull) throw new AppError('state-unwritable', 'no space left');
          saves += 1;
          return true;
        },
      },
      readFile: async () => file,
      content: () => content,
      clock,
      logger,
    });
    const stop = new AbortController();
    const running = keeper.start(stop.signal);
    const minutes = (count: number) => clock.advance(count * 66_000);
    const found: MetaFile = { kind: 'found', data: emptyData(), bytes: Buffer.alloc(0) };

    await minutes(3);
    content = 'one';
    await minutes(3);
    expect(saves, 'nothing to keep').to.equal(0);
    file = found;
    await minutes(3);
    expect(saves, 'once').to.equal(1);
    content = undefined;
    await minutes(3);
    content = 'two';
    isFull = true;
    await minutes(3);
    expect(saves, 'distrusted, then full').to.equal(1);
    expect(logger.lines.at(-1)?.message).to.include('trying again');
    isFull = false;
    await minutes(1);
    expect(saves, 'the new content').to.equal(2);
    stop.abort();
    await running;
    expect(clock.sleepers).to.equal(0);
  });
});
