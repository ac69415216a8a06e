import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Deletes } from '../../../../../agent/gateway/metadata/deletes.js';
import { NO_METADATA } from '../../../../../agent/gateway/metadata/metadata-of.js';
import type { NumberedDelete } from '../../../../../agent/manager-api/placement-api.js';
import { silentLogger } from '../../../../../shared/log/logger.js';

const MARK = 7;
const { signal } = new AbortController();

describe('numbered deletes on one node', () => {
  let directory: string;
  let numbered: NumberedDelete[];
  let ran: string[];
  let refusal: string | undefined;
  /** Set: a statement waits for it. */
  let hold: Promise<void> | undefined;
  const line = { number: 0, incarnation: 'i' };

  const open = async () => {
    const deletes = new Deletes({
      path: join(directory, 'deletes.json'),
      api: {
        deletesAfter: (after) => Promise.resolve(numbered.filter(({ number }) => number > after)),
      },
      run: async (database, statement) => {
        ran.push(`${database}: ${statement}`);
        await hold;
        return refusal === undefined ? { kind: 'done' } : { kind: 'refused', text: refusal };
      },
      metadata: () => ({
        ...NO_METADATA,
        databases: new Map([
          ['db', { name: 'db', defaultPolicy: 'p', mark: MARK, policies: new Map() }],
        ]),
      }),
      newest: () => line,
      logger: silentLogger(),
    });
    await deletes.load();
    return deletes;
  };
  const number = (statement: string, mark = MARK) => {
    numbered.push({ number: numbered.length + 1, database: 'db', databaseMark: mark, statement });
  };

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'clusterflux-deletes-'));
    numbered = [];
    ran = [];
    refusal = undefined;
    hold = undefined;
    line.number = 0;
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('are run once each, in order, and not again after a restart', async () => {
    number('DELETE 1');
    number('DELETE 2');
    const deletes = await open();
    await deletes.noteLine();
    await Promise.all([deletes.runUpTo(2, signal), deletes.runUpTo(1, signal)]);
    expect(ran).to.deep.equal(['db: DELETE 1', 'db: DELETE 2']);
    const again = await open();
    expect(again.applied).to.equal(2);
    await again.runUpTo(2, signal);
    expect(ran).to.have.length(2);
  });

  it('begin with the newest number on a node that is new', async () => {
    number('DELETE 1');
    line.number = 1;
    const deletes = await open();
    await deletes.noteLine();
    number('DELETE 2');
    await deletes.runUpTo(2, signal);
    expect(ran).to.deep.equal(['db: DELETE 2']);
  });

  it('are not meant for a database that was dropped and made again since', async () => {
    number('DELETE 1', MARK - 1);
    const deletes = await open();
    await deletes.runUpTo(1, signal);
    expect(ran).to.deep.equal([]);
    expect(deletes.applied).to.equal(1);
  });

  it("give influxd's refusal to who asked, and are done with", async () => {
    refusal = 'fields not supported in WHERE clause during deletion';
    number('DELETE 1');
    const deletes = await open();
    expect(await deletes.runUpTo(1, signal)).to.equal(refusal);
    expect(deletes.applied).to.equal(1);
  });

  it('take nothing from hints where influxd refused them, also after a restart', async () => {
    refusal = 'fields not supported in WHERE clause during deletion';
    number('DELETE 1');
    const deletes = await open();
    await deletes.runUpTo(1, signal);
    refusal = undefined;
    number('DELETE 2');
    await deletes.runUpTo(2, signal);
    for (const each of [deletes, await open()]) {
      const since = await each.since(0, signal);
      expect(since.map(({ statement }) => statement)).to.deep.equal(['DELETE 2']);
    }
  });

  it('are run before a write that knows of them, and turn away one that does not', async () => {
    number('DELETE 1');
    const deletes = await open();
    const order: string[] = [];
    const done = await deletes.during(
      1,
      () => Promise.resolve(order.push(...ran, 'write')),
      signal,
    );
    expect(done.kind).to.equal('done');
    expect(order).to.deep.equal(['db: DELETE 1', 'write']);
    const late = await deletes.during(0, () => Promise.reject(new Error('let in')), signal);
    expect(late).to.deep.equal({ kind: 'behind', applied: 1 });
  });

  it('wait for the writes under way, and keep later ones away until they are done', async () => {
    const deletes = await open();
    const order: string[] = [];
    const writing = latch();
    const first = deletes.during(
      0,
      async () => {
        await writing.opened;
        order.push('write');
      },
      signal,
    );
    number('DELETE 1');
    const deleting = latch();
    hold = deleting.opened;
    const running = deletes.runUpTo(1, signal).then(() => order.push('deleted'));
    await new Promise(setImmediate);
    expect(ran).to.deep.equal([]);
    const second = deletes.during(1, () => Promise.resolve(order.push('later write')), signal);
    writing.open();
    await first;
    deleting.open();
    await Promise.all([running, second]);
    expect(order).to.deep.equal(['write', 'deleted', 'later write']);
  });

  it('tell which of them came after a number, also after a restart', async () => {
    number('DELETE 1');
    number('DELETE 2');
    await (await open()).runUpTo(2, signal);
    const again = await open();
    const since = await again.since(1, signal);
    expect(since.map(({ statement }) => statement)).to.deep.equal(['DELETE 2']);
    expect(await again.since(2, signal)).to.deep.equal([]);
  });
});

function latch(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}
