// The fake manager keeps the rules that the property tests lean on: compare-and-swap, lineage, lost replies, waiting.
import { expect } from 'chai';
import { createFakeManager } from '../../../../agent/manager-api/fake-manager-api.js';
import { isAppError } from '../../../../shared/errors/app-error.js';
import { encodeSnapshot } from '../../../../shared/meta/codec.js';
import type { VersionTag } from '../../../../shared/api/version-tag.js';
import { keyOf, schemaOf } from '../../../../shared/meta/model.js';
import { emptyData, writeSchema } from '../../../../shared/meta/snapshot.js';

function snapshotOf(...databases: string[]): Uint8Array {
  const objects = databases.map(
    (name) => ({ kind: 'database', path: [name], value: { defaultPolicy: '' } }) as const,
  );
  return encodeSnapshot(writeSchema(emptyData(), schemaOf(objects)));
}

function request(key: string, seen: VersionTag | undefined, ...databases: string[]) {
  return { seen, bytes: snapshotOf(...databases), idempotencyKey: key, nodeId: 1 };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return isAppError(error) ? error.code : 'not an AppError';
  }
  return 'no error';
}

describe('the fake manager', () => {
  it('lets exactly one of two writers win a version, and shows the loser what stands', async () => {
    const manager = createFakeManager();
    const [a, b] = [manager.api(), manager.api()];
    const won = await a.write('c', request('k1', undefined, 'one'));
    const lost = await b.write('c', request('k2', undefined, 'two'));
    expect(won).to.have.property('kind', 'accepted');
    expect(lost).to.have.property('kind', 'lost');
    if (lost.kind !== 'lost') return;
    expect(lost.newest.bytes).to.deep.equal(Buffer.from(snapshotOf('one')));
    const again = await b.write('c', request('k3', lost.newest.tag, 'one', 'two'));
    expect(again).to.have.nested.property('tag.version', 2);
    expect(manager.history('c').map(({ tag }) => tag.version)).to.deep.equal([1, 2]);
  });

  it('answers the same key the same, and tells what became of it', async () => {
    const manager = createFakeManager();
    const api = manager.api();
    api.loseNextReply();
    expect(await codeOf(api.write('c', request('k', undefined, 'one')))).to.equal(
      'manager-unreachable',
    );
    expect(await api.writeOutcome('c', 'k')).to.have.nested.property('tag.version', 1);
    expect(await api.write('c', request('k', undefined, 'one'))).to.have.property(
      'kind',
      'accepted',
    );
    expect(manager.history('c')).to.have.length(1);
    api.loseNextRequest();
    const seen = manager.newest('c')?.tag;
    expect(await codeOf(api.write('c', request('k2', seen, 'two')))).to.equal(
      'manager-unreachable',
    );
    expect(await api.writeOutcome('c', 'k2')).to.deep.equal({ kind: 'unknown-key' });
  });

  it('refuses what is not a snapshot and changes nothing', async () => {
    const manager = createFakeManager();
    const result = await manager
      .api()
      .write('c', { seen: undefined, bytes: Buffer.from('x'), idempotencyKey: 'k', nodeId: 1 });
    expect(result).to.include({ kind: 'refused', code: 'snapshot-invalid' });
    expect(manager.history('c')).to.have.length(0);
    expect(await manager.api().read('c', { seen: undefined, waitMs: 0 })).to.have.property(
      'kind',
      'unchanged',
    );
  });

  it('gives marks and tombstones by version', async () => {
    const manager = createFakeManager();
    manager.commit('c', snapshotOf('one', 'two'));
    manager.commit('c', snapshotOf('two'), { nodeId: 7 });
    const marks = await manager.api().marks('c', 2);
    const one = keyOf({ kind: 'database', path: ['one'] });
    const two = keyOf({ kind: 'database', path: ['two'] });
    expect([...marks.marks]).to.deep.equal([[two, 1]]);
    expect(marks.tombstones).to.have.length(1);
    expect(marks.tombstones[0]).to.include({ key: one, mark: 1, version: 2, node: 7 });
    expect(await codeOf(manager.api().marks('c', 9))).to.equal('version-not-found');
  });

  it('releases a waiting reader by a write, by an abort and by its own end', async () => {
    const manager = createFakeManager();
    const api = manager.api();
    const waiting = api.read('c', { seen: undefined, waitMs: 60_000 });
    manager.commit('c', snapshotOf('one'));
    expect(await waiting).to.have.property('kind', 'snapshot');
    const seen = manager.newest('c')?.tag;
    expect(await api.read('c', { seen, waitMs: 1 })).to.deep.equal({ kind: 'unchanged' });
    const stop = new AbortController();
    const aborted = codeOf(api.read('c', { seen, waitMs: 60_000, signal: stop.signal }));
    stop.abort();
    expect(await aborted).to.equal('aborted');
    const cut = codeOf(api.read('c', { seen, waitMs: 60_000 }));
    api.setReachable(false);
    expect(await cut).to.equal('manager-unreachable');
    expect(manager.waiting).to.equal(0);
  });

  it('says forked once its store went back, in one new incarnation for all', async () => {
    const manager = createFakeManager();
    const [a, b] = [manager.api(), manager.api()];
    manager.commit('c', snapshotOf('one'));
    const old = manager.commit('c', snapshotOf('two')).tag;
    manager.restoreStoreTo('c', 1);
    manager.commit('c', snapshotOf('three'));
    const first = await a.read('c', { seen: old, waitMs: 0 });
    const second = await b.read('c', { seen: old, waitMs: 0 });
    expect(first).to.deep.equal(second);
    expect(first).to.have.nested.property('snapshot.forked', true);
    expect(first).to.not.have.nested.property('snapshot.tag.incarnation', old.incarnation);
    expect(await a.write('c', request('k', old, 'x'))).to.have.property('kind', 'lost');
  });

  it('is not an empty cluster to a reader who knew it, when it is gone', async () => {
    const manager = createFakeManager();
    const seen = manager.commit('c', snapshotOf('one')).tag;
    manager.deleteCluster('c');
    expect(await manager.api().read('c', { seen, waitMs: 0 })).to.deep.equal({
      kind: 'cluster-not-found',
    });
  });
});
