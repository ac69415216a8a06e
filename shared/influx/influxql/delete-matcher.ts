// Whether a delete takes a point away, as influxd 1.6 deletes: by measurement, tags and time, never by fields. Its oddities are
// kept: times are intersected also where OR stands between them, and an ordering of strings is a difference.
import { RE2JS } from 're2js';
import { compared, intersect, OPEN, timeComparison } from './bounds.js';
import { constantOf } from './constant.js';
import type { Binary, Expression } from './expression.js';
import { parseDeleteText } from './parse.js';
import type { Delete } from './parse-delete.js';
import type { Source, TimeBounds } from './statement.js';

export interface DeletablePoint {
  readonly measurement: string;
  /** '' where it has no such tag. */
  tag(key: string): string;
  readonly timeNs: bigint;
}

export interface DeleteMatcher {
  matches(point: DeletablePoint): boolean;
}

/** By series; undefined: any. */
type Test = ((point: DeletablePoint) => boolean) | undefined;

/** What a condition comes to; `refused`: influxd deletes nothing by it, and says why. */
type Condition = { readonly test: Test; readonly bounds: TimeBounds } | 'refused';

const NEVER: DeleteMatcher = { matches: () => false };

/**
 * For a statement as `resolveNow` makes it: with now() in it, or anything that influxd refuses to delete by, it matches nothing.
 * A condition on a field, which influxd refuses too, can't be told from one on a tag that no point has.
 */
export function deleteMatcher(statement: string): DeleteMatcher {
  const parsed = parseDeleteText(statement);
  if (parsed === undefined) return NEVER;
  const condition = conditionOf(parsed.condition);
  if (condition === 'refused') return NEVER;
  const { bounds, test } = condition;
  const isBounded = bounds.fromNs !== undefined || bounds.toNs !== undefined;
  if (isBounded && parsed.what === 'drop-series') return NEVER;
  const isOf = measurementTest(parsed);
  return {
    matches: (point) =>
      isOf(point) && isWithin(point.timeNs, bounds) && (test === undefined || test(point)),
  };
}

function isWithin(timeNs: bigint, bounds: TimeBounds): boolean {
  if (bounds.fromNs !== undefined && timeNs < bounds.fromNs) return false;
  return bounds.toNs === undefined || timeNs <= bounds.toNs;
}

function measurementTest(parsed: Delete): (point: DeletablePoint) => boolean {
  const tests = parsed.sources.map(sourceTest);
  if (tests.length === 0) return () => true;
  return (point) => tests.some((test) => test(point.measurement));
}

function sourceTest(source: Source): (measurement: string) => boolean {
  if (source.regex === undefined) return (measurement) => measurement === source.measurement;
  return regexTest(source.regex);
}

function regexTest(pattern: string): (text: string) => boolean {
  const regex = RE2JS.compile(pattern);
  return (text) => regex.test(text);
}

/** Chains of AND and OR lean to the left: down to their first part, and up again. */
function conditionOf(condition: Expression | undefined): Condition {
  if (condition === undefined) return { test: undefined, bounds: OPEN };
  const steps: Binary[] = [];
  let node = condition;
  while (node.kind === 'binary' && (node.operator === 'AND' || node.operator === 'OR')) {
    steps.push(node);
    node = node.lhs;
  }
  let result = partOf(node);
  for (const { operator, rhs } of steps.reverse()) {
    const other = conditionOf(rhs);
    if (result === 'refused' || other === 'refused') return 'refused';
    const bounds = intersect(result.bounds, other.bounds);
    result = { bounds, test: joined(operator === 'AND', result.test, other.test) };
  }
  return result;
}

/** A side that was only a time says nothing here: influxd has taken it out. */
function joined(isAnd: boolean, a: Test, b: Test): Test {
  if (a === undefined) return b;
  if (b === undefined) return a;
  return isAnd ? (point) => a(point) && b(point) : (point) => a(point) || b(point);
}

function partOf(part: Expression): Condition {
  if (part.kind === 'paren') return conditionOf(part.inner);
  if (part.kind === 'boolean') return { test: () => part.value, bounds: OPEN };
  if (part.kind !== 'binary') return 'refused';
  const time = timeComparison(part);
  if (time === undefined) {
    const test = comparisonTest(part);
    return test === undefined ? 'refused' : { test, bounds: OPEN };
  }
  const constant = constantOf(time.value, { nowNs: undefined, hasZone: false });
  const bounds = constant && compared(time.operator, constant);
  // compared() leaves open what it does not know, and influxd refuses that.
  if (bounds === undefined || bounds === OPEN) return 'refused';
  return { test: undefined, bounds };
}

/** A tag with a string, a regular expression or another tag; a constant with a constant. */
function comparisonTest(part: Binary): Test {
  const { operator, lhs, rhs } = part;
  if (lhs.kind === 'string' && rhs.kind === 'string') {
    if (operator !== '=' && operator !== '!=') return undefined;
    const isTrue = (lhs.value === rhs.value) === (operator === '=');
    return () => isTrue;
  }
  const [key, value] = lhs.kind === 'variable' ? [lhs, rhs] : [rhs, lhs];
  if (key.kind !== 'variable' || (key.type !== '' && key.type !== 'tag')) return undefined;
  const read = (point: DeletablePoint) =>
    key.name === '_name' ? point.measurement : point.tag(key.name);
  if (value.kind === 'string') {
    const wanted = operator === '=';
    return (point) => (read(point) === value.value) === wanted;
  }
  if (value.kind === 'regex') {
    const found = regexTest(value.pattern);
    const wanted = operator === '=~';
    return (point) => found(read(point)) === wanted;
  }
  if (value.kind !== 'variable') return undefined;
  // influxd compares which series have the tags, not what the tags say.
  const other = value.name;
  return operator === '='
    ? (point) => read(point) !== '' && point.tag(other) !== ''
    : (point) => read(point) !== '' && point.tag(other) === '';
}
