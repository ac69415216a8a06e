// Computes what a comparison with `time` compares with: times, durations, integers and their sums. What it can't compute
// it leaves open, and never guesses.
import type { Expression } from './expression.js';
import { parseTimeLiteral } from './time-literal.js';

export interface Constant {
  readonly kind: 'time' | 'duration' | 'integer';
  readonly ns: bigint;
  /** Depends on a clock or a zone that another node may see differently. */
  readonly isUnsure: boolean;
}

export interface ConstantContext {
  /** What now() is; undefined: nobody knows. */
  readonly nowNs: bigint | undefined;
  /** Times without a zone are of one that is not computed here. */
  readonly hasZone: boolean;
}

export function constantOf(expression: Expression, context: ConstantContext): Constant | undefined {
  if (expression.kind === 'paren') return constantOf(expression.inner, context);
  if (expression.kind === 'binary') return combine(expression, context);
  if (expression.kind === 'string') return timeOf(expression.value, context);
  if (expression.kind === 'call') return nowOf(expression, context);
  if (expression.kind === 'duration') {
    return { kind: 'duration', ns: expression.ns, isUnsure: false };
  }
  if (expression.kind === 'integer') {
    return { kind: 'integer', ns: expression.value, isUnsure: false };
  }
  if (expression.kind !== 'number') return undefined;
  // Cut, as Go converts a float to an integer.
  const whole = /^-?\d+/.exec(expression.text)?.[0] ?? '0';
  return { kind: 'integer', ns: BigInt(whole), isUnsure: false };
}

function nowOf(
  call: Extract<Expression, { kind: 'call' }>,
  context: ConstantContext,
): Constant | undefined {
  if (call.name !== 'now' || call.args.length > 0 || context.nowNs === undefined) return undefined;
  return { kind: 'time', ns: context.nowNs, isUnsure: true };
}

function timeOf(text: string, context: ConstantContext): Constant | undefined {
  const time = parseTimeLiteral(text);
  if (time === undefined) return undefined;
  return { kind: 'time', ns: time.ns, isUnsure: context.hasZone && !time.hasZone };
}

/** Sums and differences, from the left in a loop: the tree leans that way. */
function combine(
  expression: Extract<Expression, { kind: 'binary' }>,
  context: ConstantContext,
): Constant | undefined {
  const steps: { sign: bigint; rhs: Expression }[] = [];
  let first: Expression = expression;
  while (first.kind === 'binary') {
    if (first.operator !== '+' && first.operator !== '-') return undefined;
    steps.push({ sign: first.operator === '+' ? 1n : -1n, rhs: first.rhs });
    first = first.lhs;
  }
  let sum = constantOf(first, context);
  for (const { sign, rhs } of steps.reverse()) {
    const term = constantOf(rhs, context);
    if (sum === undefined || term === undefined) return undefined;
    // Times are never added up, and a time comes first.
    if (term.kind === 'time') return undefined;
    const kind = sum.kind === 'integer' ? term.kind : sum.kind;
    sum = { kind, ns: sum.ns + sign * term.ns, isUnsure: sum.isUnsure || term.isUnsure };
  }
  return sum;
}
