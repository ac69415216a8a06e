// A new node whose endpoints name managers of two stores: on nobody's word is anything changed.
import { expect } from 'chai';
import { readSchema } from '../../../../shared/meta/snapshot.js';
import { decodeSnapshot } from '../../../../shared/meta/codec.js';
import { CLUSTER, schemaLines, simulate } from '../../../support/simulated-node.js';

describe('managers of two stores', () => {
  it('are refused by a new node too: it neither pushes nor applies anything, and says which they are', async () => {
    const cluster = simulate(2);
    const [first, fresh] = cluster.nodes;
    first!.user('CREATE DATABASE "there"');
    await first!.tick();
    cluster.manager.otherEndpoints = [
      { endpoint: 'http://other', incarnation: 'of another store' },
    ];
    fresh!.user('CREATE DATABASE "here"');
    const report = await fresh!.tick();
    expect(report.outcome).to.equal('blocked');
    expect(report.sentence).to.include('do not belong together').and.include('http://other');
    const { bytes } = cluster.manager.newest(CLUSTER)!;
    const lines = schemaLines(readSchema(decodeSnapshot(bytes))).join('\n');
    expect(lines).to.include('"there"').and.not.include('"here"');
    expect(fresh!.lines.join('\n')).to.include('"here"').and.not.include('"there"');
  });
});
