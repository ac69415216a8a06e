// A SELECT as the parsers hand it on, before it is a statement of the gateway: its parts as far as somebody asks for them.
import type { Expression } from './expression.js';
import type { Source } from './statement.js';

export interface Select {
  readonly fields: readonly Expression[];
  readonly from: readonly From[];
  readonly condition: Expression | undefined;
  readonly dimensions: readonly Expression[];
  readonly into: Into | undefined;
  /** Has tz(): times without a zone are of that one. */
  readonly hasZone: boolean;
}

export type From =
  | { readonly kind: 'measurement'; readonly source: Source }
  | { readonly kind: 'subquery'; readonly select: Select };

export interface Into {
  readonly target: Source;
  /** Where the clause is in the text: from INTO to the next token. */
  readonly start: number;
  readonly end: number;
}

/** All measurements, those of subqueries too. */
export function sourcesOf(from: readonly From[]): Source[] {
  return from.flatMap((one) =>
    one.kind === 'subquery' ? sourcesOf(one.select.from) : [one.source],
  );
}

/** The interval of GROUP BY time(...); `why` where influxd can't read one; undefined where it is not grouped by time. */
export function intervalOf(select: Select): { ns: bigint } | { why: string } | undefined {
  for (const dimension of select.dimensions) {
    if (dimension.kind !== 'call' || dimension.name !== 'time') continue;
    const [interval] = dimension.args;
    if (interval === undefined || dimension.args.length > 2) {
      return { why: 'time dimension expected 1 or 2 arguments' };
    }
    if (interval.kind !== 'duration') return { why: 'time dimension must have duration argument' };
    return { ns: interval.ns };
  }
  return undefined;
}
