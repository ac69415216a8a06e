import { expect } from 'chai';
import type { BaseEntry, RemoteSide } from '../../../../agent/sync/base.js';
import { decide } from '../../../../agent/sync/decide.js';
import type { SchemaObject } from '../../../../shared/meta/model.js';
import { policy, query, subscription, user } from '../../../support/schema-builders.js';

const OLD = policy('x', 'p', { hours: 24 });
const NEW = policy('x', 'p', { hours: 48 });
const OTHER = policy('x', 'p', { hours: 72 });

const there = (object: SchemaObject, mark = 1): RemoteSide => ({ object, mark });
const inLine: BaseEntry = { remote: there(OLD), local: OLD };

interface Row {
  readonly what: string;
  readonly base?: BaseEntry;
  readonly local?: SchemaObject;
  readonly remote?: RemoteSide;
  readonly recreated?: boolean;
  readonly expect: string;
}

const rows: Row[] = [
  // nothing known yet
  { what: 'nobody has it', expect: 'nothing' },
  { what: 'new here', local: OLD, expect: 'push-create' },
  { what: 'new there', remote: there(OLD), expect: 'create-here' },
  { what: 'new on both sides, equal', local: OLD, remote: there(OLD), expect: 'settle' },
  { what: 'new on both sides, different', local: NEW, remote: there(OLD), expect: 'merge' },
  // in line before
  { what: 'unchanged', base: inLine, local: OLD, remote: there(OLD), expect: 'nothing' },
  { what: 'changed here', base: inLine, local: NEW, remote: there(OLD), expect: 'merge' },
  { what: 'changed there', base: inLine, local: OLD, remote: there(NEW), expect: 'merge' },
  { what: 'changed alike', base: inLine, local: NEW, remote: there(NEW), expect: 'settle' },
  { what: 'dropped here', base: inLine, remote: there(OLD), expect: 'push-drop' },
  { what: 'dropped there', base: inLine, local: OLD, expect: 'drop-here' },
  { what: 'dropped on both sides', base: inLine, expect: 'settle' },
  { what: 'dropped here, changed there', base: inLine, remote: there(NEW), expect: 'push-drop' },
  { what: 'changed here, dropped there', base: inLine, local: NEW, expect: 'drop-here' },
  // another object of the same name
  {
    what: 're-created there',
    base: inLine,
    local: OLD,
    remote: there(OLD, 3),
    expect: 'replace-here',
  },
  {
    what: 'changed here, re-created there',
    base: inLine,
    local: NEW,
    remote: there(OLD, 3),
    expect: 'replace-here',
  },
  {
    what: 'dropped here, re-created there',
    base: inLine,
    remote: there(OLD, 3),
    expect: 'create-here',
  },
  {
    what: 're-created here',
    base: inLine,
    local: OLD,
    remote: there(OLD),
    recreated: true,
    expect: 'push-recreated',
  },
  {
    what: 're-created here, changed there',
    base: inLine,
    local: OLD,
    remote: there(NEW),
    recreated: true,
    expect: 'push-recreated',
  },
  {
    what: 're-created here, dropped there',
    base: inLine,
    local: OLD,
    recreated: true,
    expect: 'forget',
  },
  {
    what: 're-created on both sides',
    base: inLine,
    local: OLD,
    remote: there(OLD, 3),
    recreated: true,
    expect: 'forget',
  },
  // half-way
  {
    what: 'dropped here for its successor, which is not created yet',
    base: { remote: there(OLD) },
    remote: there(OLD, 3),
    expect: 'create-here',
  },
  {
    what: 'cut short between drop and creation',
    base: { remote: there(OLD) },
    remote: there(OLD),
    expect: 'create-here',
  },
  {
    what: 'made by influxd itself, not wanted by the cluster',
    base: { local: OLD },
    local: OLD,
    expect: 'drop-here',
  },
  {
    what: 'created here while its successor was to come',
    base: { remote: there(OLD) },
    local: NEW,
    remote: there(OLD, 3),
    expect: 'forget',
  },
];

function ofRow(row: Row) {
  return decide({
    base: row.base ?? {},
    local: row.local,
    remote: row.remote,
    isRecreatedHere: row.recreated ?? false,
  });
}

describe('the decision about one object', () => {
  for (const row of rows) {
    it(`${row.what}: ${row.expect}`, () => expect(ofRow(row).do).to.equal(row.expect));
  }

  it('takes fields changed here to the cluster, and fields changed there from it', () => {
    const base: BaseEntry = {
      remote: there(policy('x', 'p', { hours: 24 })),
      local: policy('x', 'p', { hours: 24 }),
    };
    const local = policy('x', 'p', { hours: 24, replication: 2 });
    const remote = there(policy('x', 'p', { hours: 48 }));
    expect(decide({ base, local, remote, isRecreatedHere: false })).to.deep.equal({
      do: 'merge',
      push: ['replication'],
      apply: ['durationNs'],
      conflicts: [],
      isTwin: false,
    });
  });

  it('lets the committed value win where one field was changed on both sides, and tells both', () => {
    const decision = decide({
      base: inLine,
      local: NEW,
      remote: there(OTHER),
      isRecreatedHere: false,
    });
    expect(decision).to.deep.include({ do: 'merge', push: [], apply: ['durationNs'] });
    expect(decision.do === 'merge' && decision.conflicts).to.deep.equal([
      { field: 'durationNs', local: NEW.value.durationNs, remote: OTHER.value.durationNs },
    ]);
  });

  it('keeps the longer of two durations that met without knowing of each other', () => {
    const longer = decide({ base: {}, local: NEW, remote: there(OLD), isRecreatedHere: false });
    const shorter = decide({ base: {}, local: OLD, remote: there(NEW), isRecreatedHere: false });
    const forEver = decide({
      base: {},
      local: policy('x', 'p', { hours: 0 }),
      remote: there(NEW),
      isRecreatedHere: false,
    });
    expect(longer).to.deep.include({ push: ['durationNs'], apply: [] });
    expect(shorter).to.deep.include({ push: [], apply: ['durationNs'] });
    expect(forEver).to.deep.include({ push: ['durationNs'], apply: [] });
  });

  it('takes another salt, or another print of the same query, for no change', () => {
    const pairs: [SchemaObject, SchemaObject][] = [
      [user('u', 'salt-1'), user('u', 'salt-2')],
      [query('x', 'q', 'SELECT 1'), query('x', 'q', 'select 1')],
      [subscription(['x', 'p', 's'], 'a', 'b'), subscription(['x', 'p', 's'], 'b', 'a')],
    ];
    for (const [local, object] of pairs) {
      const sides = { base: { local, remote: there(object) }, local, remote: there(object) };
      expect(decide({ ...sides, isRecreatedHere: false }).do).to.equal('nothing');
    }
  });
});
