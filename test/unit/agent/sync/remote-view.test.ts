import { expect } from 'chai';
import { createFakeManager } from '../../../../agent/manager-api/fake-manager-api.js';
import { RemoteView } from '../../../../agent/sync/remote-view.js';
import { encodeSnapshot } from '../../../../shared/meta/codec.js';
import type { Schema } from '../../../../shared/meta/model.js';
import { keyOf, schemaOf } from '../../../../shared/meta/model.js';
import { emptyData, writeSchema } from '../../../../shared/meta/snapshot.js';
import { database } from '../../../support/schema-builders.js';

const signal = new AbortController().signal;
const bytesOf = (schema: Schema) => encodeSnapshot(writeSchema(emptyData(), schema));
const X = schemaOf([database('x')]);
const KEY = keyOf(database('x'));

function stage() {
  const manager = createFakeManager();
  const link = manager.api();
  return { manager, link, view: new RemoteView(link, 'c') };
}

describe('the view of the cluster', () => {
  it('knows nothing before the first answer, and an absent cluster after it', async () => {
    const { view } = stage();
    expect(view.isKnown).to.equal(false);
    await view.refresh(signal);
    const { tag, schema } = await view.load(signal);
    expect([view.isKnown, tag, schema.size]).to.deep.equal([true, undefined, 0]);
  });

  it('asks for marks once, and computes those of a direct successor by itself', async () => {
    const { manager, link, view } = stage();
    manager.commit('c', bytesOf(X));
    await view.refresh(signal);
    expect((await view.load(signal)).marks.marks.get(KEY)).to.equal(1);
    manager.commit('c', bytesOf(new Map()));
    await view.refresh(signal);
    expect((await view.load(signal)).marks.tombstones.map(({ mark }) => mark)).to.deep.equal([1]);
    expect(link.calls.marks).to.equal(1);
  });

  it('asks again where a version was skipped: a re-created object bears another mark', async () => {
    const { manager, link, view } = stage();
    manager.commit('c', bytesOf(X));
    await view.refresh(signal);
    await view.load(signal);
    manager.commit('c', bytesOf(new Map()));
    manager.commit('c', bytesOf(X));
    await view.refresh(signal);
    expect((await view.load(signal)).marks.marks.get(KEY)).to.equal(3);
    expect(link.calls.marks).to.equal(2);
  });

  it('takes no answer that was overtaken by a later version', async () => {
    const { manager, view } = stage();
    manager.commit('c', bytesOf(X));
    await view.refresh(signal);
    const old = manager.newest('c')!;
    manager.commit('c', bytesOf(new Map()));
    await view.refresh(signal);
    const isNews = view.receiveSnapshot({ tag: old.tag, bytes: old.bytes, forked: false });
    expect([isNews, view.tag?.version]).to.deep.equal([false, 2]);
  });

  it('takes a lower version of another incarnation', async () => {
    const { manager, view } = stage();
    manager.commit('c', bytesOf(X));
    manager.commit('c', bytesOf(new Map()));
    await view.refresh(signal);
    manager.deleteCluster('c');
    manager.commit('c', bytesOf(X));
    await view.refresh(signal);
    expect(view.tag?.version).to.equal(1);
  });

  it('names at first what an earlier process saw: a store that went back and past its number is found out', async () => {
    const { manager, link } = stage();
    manager.commit('c', bytesOf(X));
    const remembered = { ...manager.newest('c')!.tag, digest: 'd'.repeat(64) };
    manager.commit('c', bytesOf(new Map()));
    const before = manager.newest('c')!.tag.incarnation;
    const view = new RemoteView(link, 'c', () => remembered);
    await view.refresh(signal);
    expect(view.tag?.incarnation).to.not.equal(before);
  });

  it('takes the newest version where that is what an earlier process saw', async () => {
    const { manager, link } = stage();
    manager.commit('c', bytesOf(X));
    const { tag } = manager.newest('c')!;
    const view = new RemoteView(link, 'c', () => tag);
    await view.refresh(signal);
    expect(view.tag).to.deep.equal(tag);
    expect((await view.load(signal)).schema.has(KEY)).to.equal(true);
  });
});
