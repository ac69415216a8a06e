// The times that a statement may read, taken from its WHERE clause: whatever is not certain widens them. They decide which
// shard groups have to be complete, so that being narrower than the statement would lose points, being wider costs little.
import { constantOf } from './constant.js';
import type { Constant } from './constant.js';
import { visit } from './expression.js';
import type { Binary, Expression } from './expression.js';
import { intervalOf } from './select.js';
import type { Select } from './select.js';
import type { TimeBounds } from './statement.js';

const NS_PER_DAY = 86_400_000_000_000n;

/** Where now() or a zone is involved: the owner that runs the statement has its own clock, and zones reach 14 hours. */
const SLACK_NS = NS_PER_DAY;

export const OPEN: TimeBounds = { fromNs: undefined, toNs: undefined };

/** Of a whole SELECT. The WHERE of subqueries does not narrow: influxd takes columns from all that the outermost allows. */
export function boundsOfSelect(select: Select, nowNs: bigint | undefined): TimeBounds {
  const bounds = boundsOf(select.condition, { nowNs, hasZone: select.hasZone });
  const interval = intervalOf(select);
  if (interval === undefined) return bounds;
  if ('why' in interval) return OPEN;
  return widen(bounds, interval.ns * extraWindows(select));
}

export function boundsOf(
  condition: Expression | undefined,
  context: { readonly nowNs: bigint | undefined; readonly hasZone: boolean },
): TimeBounds {
  if (condition === undefined) return OPEN;
  // A chain of AND and OR leans to the left: down to its first part, and up again.
  const steps: Binary[] = [];
  let node = condition;
  while (node.kind === 'binary' && (node.operator === 'AND' || node.operator === 'OR')) {
    steps.push(node);
    node = node.lhs;
  }
  let bounds = boundsOfPart(node, context);
  for (const { operator, rhs } of steps.reverse()) {
    const other = boundsOf(rhs, context);
    bounds = operator === 'AND' ? intersect(bounds, other) : unite(bounds, other);
  }
  return bounds;
}

function boundsOfPart(
  part: Expression,
  context: { readonly nowNs: bigint | undefined; readonly hasZone: boolean },
): TimeBounds {
  if (part.kind === 'paren') return boundsOf(part.inner, context);
  if (part.kind !== 'binary') return OPEN;
  const comparison = timeComparison(part);
  if (comparison === undefined) return OPEN;
  const constant = constantOf(comparison.value, context);
  return constant === undefined ? OPEN : compared(comparison.operator, constant);
}

/** `time >= x`, or `x <= time` turned around. */
export function timeComparison(part: Binary): { operator: string; value: Expression } | undefined {
  if (isTime(part.lhs)) return { operator: part.operator, value: part.rhs };
  if (!isTime(part.rhs)) return undefined;
  return { operator: TURNED[part.operator] ?? part.operator, value: part.lhs };
}

const TURNED: Readonly<Record<string, string>> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' };

function isTime(expression: Expression): boolean {
  return expression.kind === 'variable' && expression.name.toLowerCase() === 'time';
}

/** What an operator and a constant leave of all times. */
export function compared(operator: string, constant: Constant): TimeBounds {
  const slack = constant.isUnsure ? SLACK_NS : 0n;
  switch (operator) {
    case '>':
      return { fromNs: constant.ns + 1n - slack, toNs: undefined };
    case '>=':
      return { fromNs: constant.ns - slack, toNs: undefined };
    case '<':
      return { fromNs: undefined, toNs: constant.ns - 1n + slack };
    case '<=':
      return { fromNs: undefined, toNs: constant.ns + slack };
    case '=':
      return { fromNs: constant.ns - slack, toNs: constant.ns + slack };
    default:
      return OPEN;
  }
}

export function intersect(a: TimeBounds, b: TimeBounds): TimeBounds {
  return { fromNs: pick(a.fromNs, b.fromNs, true), toNs: pick(a.toNs, b.toNs, false) };
}

function unite(a: TimeBounds, b: TimeBounds): TimeBounds {
  return {
    fromNs:
      a.fromNs === undefined || b.fromNs === undefined
        ? undefined
        : pick(a.fromNs, b.fromNs, false),
    toNs: a.toNs === undefined || b.toNs === undefined ? undefined : pick(a.toNs, b.toNs, true),
  };
}

/** The greater or the lesser one, or the one that is there. */
function pick(a: bigint | undefined, b: bigint | undefined, greater: boolean): bigint | undefined {
  if (a === undefined) return b;
  if (b === undefined) return a;
  return a > b === greater ? a : b;
}

function widen(bounds: TimeBounds, ns: bigint): TimeBounds {
  return {
    fromNs: bounds.fromNs === undefined ? undefined : bounds.fromNs - ns,
    toNs: bounds.toNs === undefined ? undefined : bounds.toNs + ns,
  };
}

/** derivative() and the like read a window more than is asked for, moving_average(x, n) n of them. */
function extraWindows(select: Select): bigint {
  let windows = 1n;
  for (const field of select.fields) {
    visit(field, (part) => {
      if (part.kind === 'integer' && part.value > 0n) windows += part.value;
    });
  }
  return windows;
}
