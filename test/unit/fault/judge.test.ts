// The checker of test/fault is told true and false histories: it must let the true one pass and find each of the false ones.
import { expect } from 'chai';
import { nextDigest } from '../../../shared/meta/digest.js';
import { keyOf, schemaOf, type ObjectKey, type SchemaObject } from '../../../shared/meta/model.js';
import { judge, type Evidence } from '../../support/fault/judge.js';
import { Unit, type UnitState } from '../../support/fault/model.js';
import { gaps, Requests, sameLine, VersionLine } from '../../support/fault/version-line.js';
import { database, policy, snapshotOf, user } from '../../support/snapshots.js';

const HOUR_NS = 3_600_000_000_000n;

const DB = database('w0.1', 'first');
const FIRST = policy('w0.1', 'first', 300);
const QUERY: SchemaObject = {
  kind: 'continuous-query',
  path: ['w0.1', 'q0'],
  value: { query: 'CREATE CONTINUOUS QUERY q0 ON w0.1 BEGIN SELECT mean(v) INTO m_7 FROM m END' },
};
const OTHERS = database('contested');
const EVERYTHING = [DB, FIRST, QUERY, OTHERS];

const STATE: UnitState = new Map([
  [keyOf(DB), { defaultPolicy: 'first' }],
  [keyOf(FIRST), { durationNs: 300n * HOUR_NS }],
  [keyOf(QUERY), { queryHas: 'm_7' }],
]);

/** What was read of the versions with these contents, one after the other. */
function lineOf(...contents: readonly (readonly SchemaObject[])[]): VersionLine {
  const line = new VersionLine();
  let digest: string | undefined;
  contents.forEach((objects, index) => {
    const bytes = snapshotOf(...objects);
    digest = nextDigest(digest, bytes);
    line.add({ version: index + 1, incarnation: 'one', digest, bytes });
  });
  return line;
}

interface Story {
  readonly unit?: Unit;
  readonly versions?: readonly (readonly SchemaObject[])[];
  readonly line?: VersionLine;
  readonly nodes?: readonly (readonly SchemaObject[])[];
  readonly dropped?: readonly ObjectKey[];
  readonly found?: number;
  readonly inStepWith?: number;
}

/** Two nodes, one database of the first writer that was made once and has all that it was given, where not told otherwise. */
function evidenceOf(story: Story): Evidence {
  const unit = story.unit ?? made(STATE);
  const asked = new Requests();
  asked.note('created', STATE.keys());
  asked.note('dropped', story.dropped ?? []);
  return {
    units: [unit],
    asked,
    surprises: [],
    line: story.line ?? lineOf(...(story.versions ?? [[OTHERS], EVERYTHING])),
    nodes: (story.nodes ?? [EVERYTHING, EVERYTHING]).map((objects, index) => ({
      name: `node-${index + 1}`,
      inStepWith: story.inStepWith ?? story.line?.version ?? story.versions?.length ?? 2,
      schema: schemaOf(objects),
    })),
    points: [...unit.points].map(([node, point]) => ({ unit, node, point, found: story.found })),
  };
}

function made(...states: UnitState[]): Unit {
  const unit = new Unit('w0.1', 'database', 0);
  unit.allowed = states;
  return unit;
}

const without = (gone: SchemaObject) => EVERYTHING.filter((object) => object !== gone);
const instead = (old: SchemaObject, other: SchemaObject) => [...without(old), other];

describe('the checker', () => {
  it('has nothing to say of a history in which all is well', () => {
    expect(judge(evidenceOf({}))).to.deep.equal([]);
  });

  const wrongStates: [what: string, objects: SchemaObject[], complaint: RegExp][] = [
    ['lacks a database', without(DB), /"w0\.1"\] is missing/],
    ['lacks a policy', without(FIRST), /"first"\] is missing/],
    ['has an older duration', instead(FIRST, policy('w0.1', 'first', 200)), /has durationNs/],
    ['has an older default', instead(DB, database('w0.1', 'autogen')), /has defaultPolicy/],
    ['has an older query', instead(QUERY, { ...QUERY, value: { query: 'm_6' } }), /without m_7/],
    ['has a policy that was dropped', [...EVERYTHING, policy('w0.1', 'b')], /is there, and was/],
  ];
  for (const [what, objects, complaint] of wrongStates) {
    it(`finds that the cluster ${what}`, () => {
      const complaints = judge(evidenceOf({ versions: [objects], nodes: [objects, objects] }));
      expect(complaints.join('\n')).to.match(complaint);
    });

    it(`finds that one node ${what}`, () => {
      const complaints = judge(evidenceOf({ nodes: [EVERYTHING, objects] }));
      expect(complaints.join('\n')).to.match(complaint);
      expect(complaints.join('\n')).to.match(/on node-2/);
    });
  }

  it('finds an agent that is in step with an older version only', () => {
    const complaints = judge(evidenceOf({ inStepWith: 1 }));
    expect(complaints.join()).to.match(/node-1 is not in step with version 2 \(says: 1\)/);
  });

  it('finds a difference in what several writers change', () => {
    const complaints = judge(
      evidenceOf({ nodes: [EVERYTHING, instead(OTHERS, database('contested', 'x'))] }),
    );
    expect(complaints).to.have.lengthOf(1);
    expect(complaints[0]).to.match(/"contested"\] is .* on node-2/);
  });

  it('finds a database that went and came back, and that nobody dropped', () => {
    const versions = [[OTHERS], EVERYTHING, [OTHERS], EVERYTHING];
    const complaints = judge(evidenceOf({ versions })).join('\n');
    expect(complaints).to.match(/"w0\.1"\] was dropped 1 times, and asked for 0 times/);
    expect(complaints).to.match(/"w0\.1"\] was created 2 times, and asked for 1 times/);
  });

  it('finds a policy that came back after its drop', () => {
    const state = new Map([...STATE].filter(([key]) => key !== keyOf(FIRST)));
    const unit = made(state);
    const rest = without(FIRST);
    const versions = [[OTHERS], EVERYTHING, rest, EVERYTHING, rest];
    const story = { unit, versions, nodes: [rest, rest], dropped: [keyOf(FIRST)] };
    expect(judge(evidenceOf(story)).join('\n')).to.match(/"first"\] was created 2 times/);
  });

  it('allows both outcomes of a statement that was not answered, and no third', () => {
    const altered = new Map([...STATE, [keyOf(FIRST), { durationNs: 400n * HOUR_NS }]]);
    const shows = (hours: number) => instead(FIRST, policy('w0.1', 'first', hours));
    const complaintsAt = (hours: number) =>
      judge(
        evidenceOf({
          unit: made(STATE, altered),
          versions: [shows(hours)],
          nodes: [shows(hours), shows(hours)],
        }),
      );
    expect(complaintsAt(300)).to.deep.equal([]);
    expect(complaintsAt(400)).to.deep.equal([]);
    expect(complaintsAt(500)).not.to.deep.equal([]);
  });

  it('finds points that are gone while their policy is there', () => {
    const unit = made(STATE);
    unit.points.set(1, { policy: 'first', policyKey: keyOf(FIRST), serial: 5 });
    expect(judge(evidenceOf({ unit, found: 5 }))).to.deep.equal([]);
    expect(judge(evidenceOf({ unit })).join()).to.match(/has lost its point 5/);
    expect(judge(evidenceOf({ unit, found: 4 })).join()).to.match(/has lost its point 5/);
  });

  it('finds that the password which was set last is not the cluster', () => {
    const unit = new Unit('u0.1', 'user', 0);
    unit.allowed = [new Map([[keyOf({ kind: 'user', path: ['u0.1'] }), { admin: false }]])];
    const story = (hash: string): Story => ({
      unit,
      versions: [[user('u0.1', '$2a$10$aaa')]],
      nodes: [[user('u0.1', hash)], []],
    });
    expect(judge(evidenceOf(story('$2a$10$aaa')))).to.deep.equal([]);
    expect(judge(evidenceOf(story('$2a$10$bbb'))).join()).to.match(/another password/);
  });
});

describe('the line of versions', () => {
  const bytes = snapshotOf(DB, FIRST);
  const first = { version: 1, incarnation: 'one', digest: nextDigest(undefined, bytes), bytes };
  const second = { ...first, version: 2, digest: nextDigest(first.digest, bytes) };

  const complaintsOf = (...versions: (typeof first)[]) => {
    const line = new VersionLine();
    for (const version of versions) line.add(version);
    return line.complaints.join('\n');
  };

  it('has nothing to say of versions that follow from each other', () => {
    expect(complaintsOf(first, second)).to.equal('');
  });

  it('finds a gap, a number given twice, another incarnation and another content', () => {
    expect(complaintsOf(first, { ...second, version: 3 })).to.match(/after version 1 comes 3/);
    expect(complaintsOf(first, { ...second, version: 1 })).to.match(/after version 1 comes 1/);
    expect(complaintsOf(first, { ...second, incarnation: 'two' })).to.match(/another incarnation/);
    expect(complaintsOf(first, { ...second, bytes: snapshotOf(DB) })).to.match(/does not follow/);
    expect(complaintsOf(first, { ...second, digest: first.digest })).to.match(/does not follow/);
  });

  it('finds one number with two contents at two places, and gaps in a list', () => {
    const at = (name: string, digest: string) => ({ name, digests: new Map([[4, digest]]) });
    expect(sameLine(at('manager-1', 'a'), at('etcd', 'a'))).to.deep.equal([]);
    expect(sameLine(at('manager-1', 'a'), at('etcd', 'b')).join()).to.match(/has two contents/);
    expect(gaps('etcd', [3, 1, 2])).to.deep.equal([]);
    expect(gaps('etcd', [1, 2, 4]).join()).to.match(/etcd has 4 after 2/);
    expect(gaps('etcd', [1, 2, 2]).join()).to.match(/etcd has 2 after 2/);
  });
});
