import { expect } from 'chai';
import type { BaseEntry } from '../../../../agent/sync/base.js';
import { plan, TWIN_HOLD_MS } from '../../../../agent/sync/plan.js';
import type { Plan, PlanInput } from '../../../../agent/sync/plan-types.js';
import type { ObjectKey, SchemaObject } from '../../../../shared/meta/model.js';
import { keyOf, schemaOf } from '../../../../shared/meta/model.js';
import {
  database,
  policy,
  privilege,
  query,
  subscription,
  user,
} from '../../../support/schema-builders.js';

const NOW = 1_000_000_000;

/** Everything in `known` is in line, with mark 1; local and remote are what is there now. */
function planOf(
  known: SchemaObject[],
  local: SchemaObject[],
  remote: SchemaObject[],
  options: Partial<PlanInput> = {},
): Plan {
  const entries = new Map<ObjectKey, BaseEntry>();
  for (const object of known)
    entries.set(keyOf(object), { remote: { object, mark: 1 }, local: object });
  return plan({
    entries,
    local: schemaOf(local),
    remote: schemaOf(remote),
    marks: new Map(remote.map((object) => [keyOf(object), 1])),
    tombstones: [],
    recreated: new Set(),
    whyUnproven: () => undefined,
    isJoining: false,
    joinPolicy: 'merge',
    wasAwayTooLong: false,
    isShared: () => true,
    ownUser: undefined,
    mode: { push: true, pull: true },
    nowMs: NOW,
    isAfterGap: false,
    guarded: new Set(),
    ...options,
  });
}

const names = (keys: readonly ObjectKey[]) =>
  keys.map((key) => (JSON.parse(key) as string[]).join(' '));
const applied = ({ applies }: Plan) => applies.map(({ kind, key }) => `${kind} ${names([key])[0]}`);
const pushed = ({ push }: Plan) => (push ? names([...push.schema.keys()]) : undefined);

const X = [database('x'), policy('x', 'autogen')];
const WHOLE: SchemaObject[] = [
  database('x', 'p'),
  policy('x', 'p'),
  query('x', 'q', 'text'),
  subscription(['x', 'p', 's'], 'udp://h:1'),
  user('u'),
  privilege('u', 'x', 1),
];

describe('the plan', () => {
  it('creates in an order in which each finds what it needs', () => {
    expect(applied(planOf([], [], [...WHOLE].reverse()))).to.deep.equal([
      'create database x',
      'create policy x p',
      'create continuous-query x q',
      'create subscription x p s',
      'create user u',
      'create privilege u x',
    ]);
  });

  it('drops data last: revokes before grants, policies and databases at the end', () => {
    const before = [...X, policy('x', 'old'), database('y'), user('u'), privilege('u', 'x', 1)];
    const after = [...X, user('u'), user('v'), privilege('v', 'x', 2), policy('x', 'new')];
    expect(applied(planOf(before, before, after))).to.deep.equal([
      'create policy x new',
      'create user v',
      'drop privilege u x',
      'create privilege v x',
      'drop policy x old',
      'drop database y',
    ]);
  });

  it('takes along what lies in a database that goes, on either side, without steps of its own', () => {
    const there = planOf(WHOLE, WHOLE, [user('u')]);
    expect(applied(there)).to.deep.equal(['drop database x']);
    const here = planOf(WHOLE, [user('u')], WHOLE);
    expect(pushed(here)).to.deep.equal(['user u']);
    expect(here.applies).to.deep.equal([]);
  });

  it('drops what others added meanwhile to a database that was dropped here', () => {
    const result = planOf(X, [], [...X, policy('x', 'new')]);
    expect(pushed(result)).to.deep.equal([]);
    expect(result.applies).to.deep.equal([]);
  });

  it('holds back a drop that is not proven, and all that lies in it, and nothing else', () => {
    const result = planOf([...X, database('y')], [], [...X, database('y')], {
      whyUnproven: (key) => (key === keyOf(database('x')) ? 'shard 7 is still loaded' : undefined),
    });
    expect(pushed(result)).to.deep.equal(['database x', 'policy x autogen']);
    expect(result.pending.map(({ reason }) => reason)).to.deep.equal([
      'dropped here, but that is not proven: shard 7 is still loaded',
    ]);
  });

  it('gives a dropped default back to what the other side had', () => {
    const known = [database('x', 'a'), policy('x', 'a'), policy('x', 'b')];
    const local = [database('x', 'a'), policy('x', 'a'), policy('x', 'b')];
    // There: b is the default. Here: b was dropped, so a stays the default.
    const result = planOf(
      known,
      [local[0]!, local[1]!],
      [database('x', 'b'), policy('x', 'a'), policy('x', 'b')],
    );
    const merged = result.push?.schema.get(keyOf(database('x')));
    expect(merged).to.deep.equal(database('x', 'a'));
  });

  it('leaves no privilege on a database that goes', () => {
    const known = [...X, user('u')];
    const result = planOf(known, [user('u'), privilege('u', 'x', 1)], known);
    expect(pushed(result)).to.deep.equal(['user u']);
  });

  it('keeps hidden databases out on both sides, and forgets their base', () => {
    const result = planOf(X, [...X, database('hidden-here')], [...X, database('hidden-there')], {
      isShared: (name) => name === 'none',
    });
    expect(result.applies).to.deep.equal([]);
    expect(result.push).to.equal(undefined);
    expect(result.moves.map(({ entry }) => entry)).to.deep.equal([undefined, undefined]);
  });

  it('never drops the account that the agent itself uses', () => {
    const result = planOf([user('agent')], [user('agent')], [], { ownUser: 'agent' });
    expect(result.applies).to.deep.equal([]);
    expect(result.pending[0]?.reason).to.match(/the agent itself uses this account/);
  });

  it('never takes its rights from the account that the agent itself uses, and gives it a new password', () => {
    const own = (admin: boolean, hash: string) => ({ ...user('agent'), value: { admin, hash } });
    const known = [own(true, 'h')];
    const result = planOf(known, known, [own(false, 'h2')], { ownUser: 'agent' });
    expect(result.applies).to.have.lengthOf(1);
    expect(result.applies[0]).to.deep.include({ kind: 'alter', fields: ['hash'] });
    expect(result.pending[0]?.reason).to.match(/the agent itself uses this account/);
    expect(planOf(known, known, [own(false, 'h')], { ownUser: 'other' }).applies).to.have.lengthOf(
      1,
    );
  });

  it('with --push applies nothing, with --pull pushes nothing, and moves nothing of what it leaves out', () => {
    const local = [...X, database('mine')];
    const remote = [...X, database('theirs')];
    const push = planOf(X, local, remote, { mode: { push: true, pull: false } });
    const pull = planOf(X, local, remote, { mode: { push: false, pull: true } });
    expect([push.applies.length, pushed(push)?.includes('database mine')]).to.deep.equal([0, true]);
    expect([applied(pull), pull.push]).to.deep.equal([['create database theirs'], undefined]);
    expect([...push.moves, ...pull.moves]).to.deep.equal([]);
    expect(push.push?.moves.map(({ key }) => names([key])[0])).to.deep.equal(['database mine']);
  });

  it('holds the drop of one of two creations that met, for a minute', () => {
    const met = (nowMs: number) => {
      const entries = new Map<ObjectKey, BaseEntry>();
      const object = database('x');
      entries.set(keyOf(object), { remote: { object, mark: 1 }, local: object, twinSinceMs: NOW });
      const here = { entries, nowMs };
      return [planOf([], [object], [], here), planOf([], [], [object], here)];
    };
    for (const each of met(NOW + TWIN_HOLD_MS - 1)) {
      expect(each.applies.length + (each.push === undefined ? 0 : 1)).to.equal(0);
      expect(each.pending[0]?.reason).to.match(/created twice/);
    }
    const [there, here] = met(NOW + TWIN_HOLD_MS);
    expect(applied(there!)).to.deep.equal(['drop database x']);
    expect(pushed(here!)).to.deep.equal([]);
  });

  it('pushes a re-created database as a drop first, with all that lay in it', () => {
    const recreated = new Set([keyOf(database('x'))]);
    const result = planOf(X, X, X, { recreated });
    expect(pushed(result)).to.deep.equal([]);
    expect(result.push?.moves.every(({ local, remote }) => !local && !remote)).to.equal(true);
  });

  it('is the same for the same input, whatever the order of its maps', () => {
    const remote = [...WHOLE, database('y'), database('z')];
    const one = planOf(X, WHOLE, remote);
    const other = planOf([...X].reverse(), [...WHOLE].reverse(), [...remote].reverse());
    expect(applied(one)).to.deep.equal(applied(other));
    expect(one.push?.changed).to.deep.equal(other.push?.changed);
  });
});
