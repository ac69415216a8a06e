// A next statement for a unit: what an operator or a script could do to a database or a user in the state that it is in.
import { keyOf, type ObjectKey, type ObjectName, type Schema } from '../../../shared/meta/model.js';
import type { Statement, Unit, UnitState, Wanted } from './model.js';
import type { Random } from './random.js';

/** A user whom every server has from the beginning: what is granted to somebody else waits on other nodes. */
export const EVERYWHERE_USER = 'everywhere';

const HOUR_NS = 3_600_000_000_000n;

/** What a database has at most; it is about variety, not about size. */
const MOST = { policies: 4, queries: 2, subscriptions: 2 };

type Maker = (unit: Unit, state: UnitState, random: Random) => Statement | undefined;

/** Undefined where the random choice fits nothing that the unit has. */
export function nextStatement(unit: Unit, state: UnitState, random: Random): Statement | undefined {
  const makers = unit.kind === 'database' ? databaseMakers(state) : userMakers(state);
  return random.pick(makers)(unit, state, random);
}

/** How often an entry is listed is how likely it is. */
function databaseMakers(state: UnitState): readonly Maker[] {
  if (state.size === 0) return [createDatabase];
  return [
    ...[createPolicy, createPolicy, alterPolicy, alterPolicy, setDefault, dropPolicy],
    ...[createPolicy, alterPolicy, setDefault, setDefault, createQuery, createQuery, dropQuery],
    ...[createSubscription, createSubscription, dropSubscription, grant, grant, revoke, dropQuery],
    ...[dropSubscription, dropDatabase],
  ];
}

function userMakers(state: UnitState): readonly Maker[] {
  return state.size === 0 ? [createUser] : [toggleAdmin, toggleAdmin, setPassword, dropUser];
}

const createDatabase: Maker = (unit, _state, random) => {
  const database = name({ kind: 'database', path: [unit.name] });
  const policy = random.chance(0.5) ? 'autogen' : 'first';
  const hours = policyHours(random);
  const clauses =
    policy === 'autogen' ? '' : ` WITH DURATION ${hours}h SHARD DURATION 1h NAME "first"`;
  return {
    text: `CREATE DATABASE "${unit.name}"${clauses}`,
    after: new Map<ObjectKey, Wanted>([
      [database, { defaultPolicy: policy }],
      [policyKey(unit, policy), { durationNs: policy === 'autogen' ? 0n : ns(hours) }],
    ]),
  };
};

const dropDatabase: Maker = (unit) => ({
  text: `DROP DATABASE "${unit.name}"`,
  after: new Map(),
});

const createPolicy: Maker = (unit, state, random) => {
  const used = policiesOf(state);
  const free = ['autogen', 'first', 'a', 'b', 'c'].filter((each) => !used.includes(each));
  if (used.length >= MOST.policies) return undefined;
  const policy = random.pick(free);
  const hours = policyHours(random);
  return {
    text: `CREATE RETENTION POLICY "${policy}" ON "${unit.name}" DURATION ${hours}h REPLICATION 1 SHARD DURATION 1h`,
    after: plus(state, policyKey(unit, policy), { durationNs: ns(hours) }),
  };
};

const alterPolicy: Maker = (unit, state, random) => {
  const policy = random.pick(policiesOf(state));
  const hours = policyHours(random);
  return {
    text: `ALTER RETENTION POLICY "${policy}" ON "${unit.name}" DURATION ${hours}h`,
    after: plus(state, policyKey(unit, policy), { durationNs: ns(hours) }),
  };
};

const setDefault: Maker = (unit, state, random) => {
  const policy = random.pick(policiesOf(state));
  return {
    text: `ALTER RETENTION POLICY "${policy}" ON "${unit.name}" DEFAULT`,
    after: plus(state, name({ kind: 'database', path: [unit.name] }), { defaultPolicy: policy }),
  };
};

/** Never the default one (what a database without a default becomes is a rule of its own), nor one that a query names. */
const dropPolicy: Maker = (unit, state, random) => {
  const kept = new Set([defaultOf(unit, state), ...[...state.values()].map((of) => of.queryNames)]);
  const others = policiesOf(state).filter((policy) => !kept.has(policy));
  if (others.length === 0) return undefined;
  const policy = random.pick(others);
  const gone = [...state.keys()].filter((key) => {
    const [kind, , of] = JSON.parse(key) as string[];
    return (kind === 'policy' || kind === 'subscription') && of === policy;
  });
  return {
    text: `DROP RETENTION POLICY "${policy}" ON "${unit.name}"`,
    after: minus(state, gone),
  };
};

const createQuery: Maker = (unit, state, random) => {
  const free = freeName(state, 'continuous-query', 'q', MOST.queries);
  if (free === undefined) return undefined;
  const queryHas = `m_${random.below(1_000_000)}`;
  const queryNames = defaultOf(unit, state);
  return {
    text: `CREATE CONTINUOUS QUERY "${free}" ON "${unit.name}" BEGIN SELECT mean(v) INTO "${queryHas}" FROM "m" GROUP BY time(1h) END`,
    after: plus(state, name({ kind: 'continuous-query', path: [unit.name, free] }), {
      queryHas,
      ...(queryNames === undefined ? {} : { queryNames }),
    }),
  };
};

const dropQuery: Maker = (unit, state, random) => {
  const key = pickKey(state, 'continuous-query', random);
  if (key === undefined) return undefined;
  return {
    text: `DROP CONTINUOUS QUERY "${lastOf(key)}" ON "${unit.name}"`,
    after: minus(state, [key]),
  };
};

const createSubscription: Maker = (unit, state, random) => {
  const free = freeName(state, 'subscription', 's', MOST.subscriptions);
  if (free === undefined) return undefined;
  const policy = random.pick(policiesOf(state));
  const destination = `udp://127.0.0.1:${random.between(20_000, 60_000)}`;
  return {
    text: `CREATE SUBSCRIPTION "${free}" ON "${unit.name}"."${policy}" DESTINATIONS ANY '${destination}'`,
    after: plus(state, name({ kind: 'subscription', path: [unit.name, policy, free] }), {
      destination,
    }),
  };
};

const dropSubscription: Maker = (unit, state, random) => {
  const key = pickKey(state, 'subscription', random);
  if (key === undefined) return undefined;
  const [, , policy] = JSON.parse(key) as string[];
  return {
    text: `DROP SUBSCRIPTION "${lastOf(key)}" ON "${unit.name}"."${policy ?? ''}"`,
    after: minus(state, [key]),
  };
};

const grant: Maker = (unit, state, random) => {
  const level = random.between(1, 3);
  return {
    text: `GRANT ${['READ', 'WRITE', 'ALL'][level - 1] ?? ''} ON "${unit.name}" TO "${EVERYWHERE_USER}"`,
    after: plus(state, privilegeKey(unit), { level }),
  };
};

const revoke: Maker = (unit, state) => {
  if (!state.has(privilegeKey(unit))) return undefined;
  return {
    text: `REVOKE ALL ON "${unit.name}" FROM "${EVERYWHERE_USER}"`,
    after: minus(state, [privilegeKey(unit)]),
  };
};

const createUser: Maker = (unit, _state, random) => ({
  text: `CREATE USER "${unit.name}" WITH PASSWORD 'pw${random.below(1_000_000)}'`,
  after: new Map([[userKey(unit), { admin: false }]]),
});

const setPassword: Maker = (unit, state, random) => ({
  text: `SET PASSWORD FOR "${unit.name}" = 'pw${random.below(1_000_000)}'`,
  after: state,
});

const toggleAdmin: Maker = (unit, state) => {
  const isAdmin = state.get(userKey(unit))?.admin === true;
  return {
    text: isAdmin
      ? `REVOKE ALL PRIVILEGES FROM "${unit.name}"`
      : `GRANT ALL PRIVILEGES TO "${unit.name}"`,
    after: plus(state, userKey(unit), { admin: !isAdmin }),
  };
};

const dropUser: Maker = (unit) => ({ text: `DROP USER "${unit.name}"`, after: new Map() });

/** All objects of a schema by the unit (`unitId`) that they belong to. */
export function keysByUnit(schema: Schema): ReadonlyMap<string, readonly ObjectKey[]> {
  const keys = new Map<string, ObjectKey[]>();
  for (const key of schema.keys()) {
    const id = unitOf(key);
    const list = id === undefined ? undefined : keys.get(id);
    if (list !== undefined) list.push(key);
    else if (id !== undefined) keys.set(id, [key]);
  }
  return keys;
}

/** The unit that an object belongs to by its name; undefined for what the workload never makes. */
export function unitOf(key: ObjectKey): string | undefined {
  const [kind = '', first = '', second = ''] = JSON.parse(key) as string[];
  if (kind === 'user') return unitId('user', first);
  if (kind !== 'privilege') return unitId('database', first);
  return first === EVERYWHERE_USER ? unitId('database', second) : undefined;
}

export function unitId(kind: 'database' | 'user', unit: string): string {
  return `${kind} ${unit}`;
}

/** For a point: which policy of the database takes it. */
export function defaultOf(unit: Unit, state: UnitState): string | undefined {
  return state.get(name({ kind: 'database', path: [unit.name] }))?.defaultPolicy;
}

export function policyKey(unit: Unit, policy: string): ObjectKey {
  return name({ kind: 'policy', path: [unit.name, policy] });
}

function name(object: ObjectName): ObjectKey {
  return keyOf(object);
}

function userKey(unit: Unit): ObjectKey {
  return name({ kind: 'user', path: [unit.name] });
}

function privilegeKey(unit: Unit): ObjectKey {
  return name({ kind: 'privilege', path: [EVERYWHERE_USER, unit.name] });
}

/** Longer than the longest shard group duration, which influxd asks for, and than any test. */
function policyHours(random: Random): number {
  return random.between(200, 2_000);
}

function ns(hours: number): bigint {
  return BigInt(hours) * HOUR_NS;
}

function policiesOf(state: UnitState): string[] {
  return keysOfKind(state, 'policy').map(lastOf);
}

function keysOfKind(state: UnitState, kind: string): ObjectKey[] {
  return [...state.keys()].filter((key) => (JSON.parse(key) as string[])[0] === kind);
}

function pickKey(state: UnitState, kind: string, random: Random): ObjectKey | undefined {
  const keys = keysOfKind(state, kind);
  return keys.length === 0 ? undefined : random.pick(keys);
}

function freeName(state: UnitState, kind: string, stem: string, most: number): string | undefined {
  const used = keysOfKind(state, kind).map(lastOf);
  const names = Array.from({ length: most }, (_, index) => `${stem}${index}`);
  return names.find((each) => !used.includes(each));
}

function lastOf(key: ObjectKey): string {
  return (JSON.parse(key) as string[]).at(-1) ?? '';
}

function plus(state: UnitState, key: ObjectKey, wanted: Wanted): UnitState {
  return new Map([...state, [key, wanted]]);
}

function minus(state: UnitState, keys: readonly ObjectKey[]): UnitState {
  return new Map([...state].filter(([key]) => !keys.includes(key)));
}
