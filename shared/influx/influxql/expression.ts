// Expressions of InfluxQL: fields, conditions, dimensions. Where precedence allows it, chains lean to the left, so that a
// long condition is a deep tree: walk down `lhs` in a loop, never by recursion.
import type { Operator } from './token.js';

export interface Binary {
  readonly kind: 'binary';
  operator: Operator;
  lhs: Expression;
  rhs: Expression;
}

export type Expression =
  | Binary
  | { readonly kind: 'paren'; readonly inner: Expression }
  /** `type`: what stands after `::`, in lower case; '' where nothing does. */
  | { readonly kind: 'variable'; readonly name: string; readonly type: string }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: 'distinct'; readonly name: string }
  | { readonly kind: 'wildcard' }
  | { readonly kind: 'string'; readonly value: string }
  /** Decimal digits, perhaps with a point and a minus. */
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'duration'; readonly ns: bigint }
  | { readonly kind: 'regex'; readonly pattern: string };

/** Visits an expression and all in it. */
export function visit(expression: Expression, seen: (expression: Expression) => void): void {
  let node = expression;
  while (node.kind === 'binary') {
    seen(node);
    visit(node.rhs, seen);
    node = node.lhs;
  }
  seen(node);
  if (node.kind === 'paren') visit(node.inner, seen);
  if (node.kind === 'call') node.args.forEach((argument) => visit(argument, seen));
}
