import { expect } from 'chai';
import { Readable } from 'node:stream';
import type { ReadOutcome } from '../../../../../agent/gateway/owner/port.js';
import { WatchedOwner } from '../../../../../agent/gateway/owner/watched-owner.js';
import { batchOf, readOf } from '../../../../support/gateway/local-owner.js';

const NEVER = new AbortController().signal;

function setUp() {
  const ownShards: { isAdopted: boolean; lookedAt: AbortSignal | undefined } = {
    isAdopted: true,
    lookedAt: new AbortController().signal,
  };
  const applied: string[] = [];
  const away = { noted: 0 };
  const body = Readable.from(['{}']);
  let duringRead = (): void => undefined;
  const owner = new WatchedOwner({
    ownShards,
    gate: {
      noteInfluxdAway: () => {
        away.noted += 1;
      },
    },
    owner: {
      apply: async (batch) => {
        applied.push(batch.body.toString());
        return { kind: 'applied' };
      },
      read: async (): Promise<ReadOutcome> => {
        duringRead();
        const contentType = 'application/json';
        return { kind: 'opened', status: 200, contentType, error: undefined, body };
      },
    },
  });
  const onRead = (act: () => void) => {
    duringRead = act;
  };
  return { ownShards, applied, owner, body, onRead, away };
}

describe('an owner that watches its influxd', () => {
  it('takes batches and answers reads while it knows which influxd it has', async () => {
    const { owner, applied } = setUp();
    expect(await owner.apply(batchOf('m v=1 1'), NEVER)).to.deep.equal({ kind: 'applied' });
    expect(applied).to.deep.equal(['m v=1 1']);
    expect((await owner.read(readOf('SELECT v FROM m'), NEVER)).kind).to.equal('opened');
  });

  it('takes nothing, hints neither, before the shards were looked at, and hints first afterwards', async () => {
    const { owner, ownShards, applied, away } = setUp();
    ownShards.lookedAt = undefined;
    for (const isHint of [true, false]) {
      const outcome = await owner.apply(batchOf('m v=1 1', { isHint }), NEVER);
      expect(outcome).to.have.property('why').that.includes('were not looked at');
    }
    expect(applied).to.deep.equal([]);
    expect(away.noted).to.equal(2);
  });

  it('takes nothing before what the server brought along is placed', async () => {
    const { owner, ownShards, applied } = setUp();
    ownShards.isAdopted = false;
    const outcome = await owner.apply(batchOf('m v=1 1'), NEVER);
    expect(outcome).to.deep.equal({ kind: 'failed', why: 'it has not joined yet' });
    expect(applied).to.deep.equal([]);
  });

  it('hands on no answer of an influxd that was started while it was asked', async () => {
    for (const after of [undefined, new AbortController().signal]) {
      const { owner, ownShards, onRead, body } = setUp();
      onRead(() => {
        ownShards.lookedAt = after;
      });
      expect((await owner.read(readOf('SELECT v FROM m'), NEVER)).kind).to.equal('behind');
      expect(body.destroyed).to.equal(true);
    }
  });

  it('answers statements that need no shard from any influxd', async () => {
    const { owner, ownShards } = setUp();
    ownShards.lookedAt = undefined;
    const outcome = await owner.read(readOf('SHOW DIAGNOSTICS', { groups: [] }), NEVER);
    expect(outcome.kind).to.equal('opened');
  });
});
