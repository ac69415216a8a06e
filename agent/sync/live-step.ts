// One planned change as statements for a running influxd, or the reason why no statement can make it. Pure.
import {
  drop,
  grant,
  setAdmin,
  setDefaultPolicy,
  createDatabase,
  createPolicy,
  createUser,
  setPassword,
} from '../influxd/statements.js';
import { alterPolicy, createContinuousQuery, createSubscription } from '../influxd/statements.js';
import { whyUnquotable } from '../influxd/quote.js';
import { refusalOf, whyBadName } from '../influxd/rules.js';
import type { ObjectKey, ObjectOf, Schema, SchemaObject } from '../../shared/meta/model.js';
import { keyOf, nameOf } from '../../shared/meta/model.js';
import type { Apply } from './plan-types.js';

export interface LiveContext {
  /** What the cluster has: a new database takes its first policy from here. */
  readonly remote: Schema;
  /** What influxd has now. */
  readonly local: Schema;
  readonly serverVersion: string | undefined;
  /** The text behind a password hash of the cluster, where this agent was told it (agent/gateway/metadata/passwords.ts). */
  readonly passwordOf?: (user: string, hash: string) => string | undefined;
}

export type LiveStep =
  | {
      readonly kind: 'statement';
      readonly text: string;
      /** What the statement is meant to leave. */
      readonly expected: SchemaObject | undefined;
      /** Fields that this statement sets, where not all that were planned. */
      readonly fields?: readonly string[];
      /** The policy that comes with a new database. */
      readonly firstPolicy?: ObjectOf<'policy'>;
      /** Fields that stay behind, and why. */
      readonly leftOut?: Impossible;
      /** influxd makes a salt of its own: the hash that is found afterwards stands for the same password. */
      readonly isSalted?: true;
    }
  /** Dropped, then created anew: queries and subscriptions can't be altered. */
  | { readonly kind: 'replace'; readonly drop: string; readonly create: string }
  | ({ readonly kind: 'impossible' } & Impossible);

export interface Impossible {
  readonly reason: string;
  readonly remedy: string;
  /** True where writing meta.db while influxd is stopped does it. */
  readonly needsOffline?: true;
}

export function liveStep(apply: Apply, context: LiveContext): LiveStep {
  switch (apply.kind) {
    case 'create':
      return createStep(apply.target, context);
    case 'alter':
      return alterStep(apply, context);
    case 'drop':
      return { kind: 'statement', text: drop(apply.before), expected: undefined };
  }
}

/** True where no statement makes all of the change, and writing meta.db does. */
export function needsMetaFile(apply: Apply): boolean {
  if (apply.kind === 'drop') return false;
  const { target } = apply;
  if (target.kind === 'user') return apply.kind === 'create' || apply.fields.includes('hash');
  return mayBeWritten(target) && refusalOf(target) !== undefined;
}

function createStep(target: SchemaObject, context: LiveContext): LiveStep {
  switch (target.kind) {
    case 'database':
      return createDatabaseStep(target, context);
    case 'user':
      return createUserStep(target, context);
    case 'privilege':
      return grantStep(target, context);
    case 'policy':
      return (
        refused(target, context) ?? statement(createPolicy(target, { isDefault: false }), target)
      );
    case 'continuous-query':
      return refused(target, context) ?? statement(createContinuousQuery(target), target);
    case 'subscription':
      return refused(target, context) ?? statement(createSubscription(target), target);
  }
}

/** Only while the text of the password is known, which travels beside a statement that came through a gateway. */
function createUserStep(target: ObjectOf<'user'>, context: LiveContext): LiveStep {
  const [user] = target.path;
  const password = context.passwordOf?.(user, target.value.hash);
  if (password === undefined || whyUnquotable(user) !== undefined) return needsOffline(HASH_REASON);
  return statement(createUser(user, password, target.value.admin), target);
}

const HASH_REASON = "a password hash can't be set by a statement";
const OFFLINE_REMEDY = 'stop influxd, run `clusterflux agent sync --offline`, start it';

/** Its default policy comes with it in one statement, so that no policy of influxd's own making appears. */
function createDatabaseStep(target: ObjectOf<'database'>, context: LiveContext): LiveStep {
  const named = { ...target, value: { defaultPolicy: 'any' } };
  const unusable = refused(named, context);
  if (unusable !== undefined) return unusable;
  const firstPolicy = firstPolicyOf(target, context);
  const expected = {
    ...target,
    value: { defaultPolicy: firstPolicy?.path[1] ?? AUTOGEN },
  };
  return {
    ...statement(createDatabase(target, firstPolicy), expected),
    ...(firstPolicy === undefined ? {} : { firstPolicy }),
  };
}

/** What influxd names the policy that it makes by itself. */
export const AUTOGEN = 'autogen';

function firstPolicyOf(
  database: ObjectOf<'database'>,
  context: LiveContext,
): ObjectOf<'policy'> | undefined {
  const isUsable = (object: SchemaObject | undefined): object is ObjectOf<'policy'> =>
    object?.kind === 'policy' &&
    refusalOf(object, { serverVersion: context.serverVersion }) === undefined;
  const preferred = context.remote.get(
    keyOf({ kind: 'policy', path: [database.path[0], database.value.defaultPolicy] }),
  );
  if (isUsable(preferred)) return preferred;
  const others = [...context.remote.values()].filter(
    (object) => isUsable(object) && object.path[0] === database.path[0],
  ) as ObjectOf<'policy'>[];
  return others.sort((a, b) => (a.path[1] < b.path[1] ? -1 : 1))[0];
}

function grantStep(target: ObjectOf<'privilege'>, context: LiveContext): LiveStep {
  const [user, database] = target.path;
  if (!context.local.has(keyOf({ kind: 'user', path: [user] }))) {
    return impossible(`the user ${JSON.stringify(user)} is not here yet`, '');
  }
  if (!context.local.has(keyOf({ kind: 'database', path: [database] }))) {
    return impossible(`the database ${JSON.stringify(database)} is not here yet`, '');
  }
  return refused(target, context) ?? statement(grant(target), target);
}

function alterStep(apply: Extract<Apply, { kind: 'alter' }>, context: LiveContext): LiveStep {
  const { target, before } = apply;
  switch (target.kind) {
    case 'database':
      return defaultStep(target, context);
    case 'policy': {
      const text = alterPolicy((before as ObjectOf<'policy'>).value, target);
      return (
        refused(target, context) ??
        (text === undefined ? impossible('nothing to alter', '') : statement(text, target))
      );
    }
    case 'continuous-query':
      return replaceStep(target, createContinuousQuery(target), context);
    case 'subscription':
      return replaceStep(target, createSubscription(target), context);
    case 'user':
      return userStep(apply, target, context);
    case 'privilege':
      return grantStep(target, context);
  }
}

function defaultStep(target: ObjectOf<'database'>, context: LiveContext): LiveStep {
  const [database] = target.path;
  const { defaultPolicy } = target.value;
  if (!context.local.has(keyOf({ kind: 'policy', path: [database, defaultPolicy] }))) {
    return impossible(
      `its default policy ${JSON.stringify(defaultPolicy)} does not exist here`,
      'create that policy on any node, or make another one the default',
    );
  }
  return statement(setDefaultPolicy([database, defaultPolicy]), target);
}

function replaceStep(
  target: ObjectOf<'continuous-query'> | ObjectOf<'subscription'>,
  create: string,
  context: LiveContext,
): LiveStep {
  return refused(target, context) ?? { kind: 'replace', drop: drop(target), create };
}

/** The administrator flag goes by a statement; the hash does where the text behind it is known, in a statement of its own. */
function userStep(
  apply: Extract<Apply, { kind: 'alter' }>,
  target: ObjectOf<'user'>,
  context: LiveContext,
): LiveStep {
  const before = apply.before as ObjectOf<'user'>;
  const [user] = target.path;
  const password = apply.fields.includes('hash')
    ? context.passwordOf?.(user, target.value.hash)
    : undefined;
  if (password !== undefined && whyUnquotable(user) === undefined) {
    const value = { ...before.value, hash: target.value.hash };
    const step = statement(setPassword(user, password), { ...before, value });
    return { ...step, fields: ['hash'], isSalted: true };
  }
  const leftOut = apply.fields.includes('hash')
    ? needsOffline("its password was changed, and a hash can't be set by a statement")
    : undefined;
  if (!apply.fields.includes('admin')) return leftOut ?? impossible('nothing to alter', '');
  return {
    ...statement(setAdmin(target.path[0], target.value.admin), {
      ...before,
      value: { ...before.value, admin: target.value.admin },
    }),
    fields: ['admin'],
    ...(leftOut === undefined ? {} : { leftOut }),
  };
}

function refused(object: SchemaObject, context: LiveContext): LiveStep | undefined {
  const reason = refusalOf(object, { serverVersion: context.serverVersion });
  if (reason === undefined) return undefined;
  return mayBeWritten(object) ? needsOffline(reason) : impossible(reason, OFFLINE_REMEDY);
}

/** What stands in the way of a statement alone (a name that can't be quoted), and not of influxd's own rules. */
function mayBeWritten(object: SchemaObject): boolean {
  if (object.kind === 'privilege') return true;
  return object.kind === 'database' && whyBadName(object.path[0]) === undefined;
}

function statement(
  text: string,
  expected: SchemaObject | undefined,
): Extract<LiveStep, { kind: 'statement' }> {
  return { kind: 'statement', text, expected };
}

function impossible(reason: string, remedy: string): LiveStep {
  return { kind: 'impossible', reason, remedy };
}

/** What only meta.db can hold: the restart procedure writes it, or a person does. */
function needsOffline(reason: string): { readonly kind: 'impossible' } & Impossible {
  return { kind: 'impossible', reason, remedy: OFFLINE_REMEDY, needsOffline: true };
}

/** The key of the policy that influxd makes by itself in a database. */
export function autogenKey(database: ObjectKey): ObjectKey {
  return keyOf({ kind: 'policy', path: [nameOf(database).path[0], AUTOGEN] });
}
