// What a manager finds in its store at its start, and what keeps it from going on.
import { expect } from 'chai';
import { firstLook } from '../../../manager/first-look.js';
import { MemoryStore } from '../../../manager/store/memory/memory-store.js';
import { encodeRecord } from '../../../manager/store/records.js';
import { messageOf } from '../../../shared/errors/app-error.js';
import { memoryLogger } from '../../../shared/log/logger.js';
import { snapshotWith } from '../../support/snapshots.js';
import { startTestManager, type TestManager } from '../../support/manager.js';

const signal = new AbortController().signal;

describe('the first look of a manager', () => {
  let store: MemoryStore;
  let before: TestManager;
  beforeEach(async () => {
    store = new MemoryStore();
    before = await startTestManager({ store });
    const payload = snapshotWith('a');
    await before.app.inject({ method: 'PUT', url: '/clusters/plant/versions/0', payload });
  });
  afterEach(async () => {
    await before.close();
    await store.close();
  });

  const look = async () => {
    const logger = memoryLogger();
    const { services } = before;
    await firstLook({ store, services, managerId: 'me', logger }, signal);
    return logger.lines;
  };
  const put = (key: string, value: Buffer) => store.transact([], [{ put: key, value }]);

  it('names the clusters and the other managers, so that a wrong prefix is seen', async () => {
    for (const id of ['me', 'other']) {
      const place = { hostname: `host-${id}`, ip: '10.0.0.1', bindAddress: '10.0.0.1:8000' };
      await put(before.services.keys.manager(id), encodeRecord({ id, ...place, version: '0' }));
    }
    expect((await look()).map(({ message, fields }) => [message, fields])).to.deep.equal([
      ['found in the store', { clusters: ['plant'], managers: ['host-other (10.0.0.1:8000)'] }],
    ]);
  });

  it('refuses records of a newer release in one sentence', async () => {
    const { meta } = before.services.keys.cluster('newer');
    await put(meta, Buffer.from('{"format":2}'));
    const refused = await look().then(() => '', messageOf);
    expect(refused).to.match(/clusters\/newer\/meta has format 2.*run a newer release/);
  });

  it('goes on where a single record is damaged, and says so', async () => {
    await put(before.services.keys.cluster('bad').meta, Buffer.from('nonsense'));
    const lines = await look();
    expect(lines.map(({ level, message }) => [level, message])).to.deep.equal([
      ['warn', 'looking at what the store has failed'],
    ]);
  });
});
