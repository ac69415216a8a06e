// Generators of line protocol: ordinary lines, and lines with the bytes that matter put where they hurt.
import fc from 'fast-check';

const word = fc.constantFrom('a', 'b', 'cpu', 'host', 'x1', 'time', 'é', '日本');
/** Bytes that mean something, and some that only look as if they did. */
const oddity = fc.constantFrom(
  ...['\\', ',', '=', ' ', '"', '\n', '\t', '\0', '\r', '#', '\\\\', '\\,', '\\ ', '\\=', '\\"'],
  ...['\\\n', ',,', '= ', ' =', '""', '-', '.', 'e', 'i', 'u', '1', 't', 'N', '  ', '\ufffd', '+'],
);
const name = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: word },
      { weight: 1, arbitrary: fc.constantFrom('\\ ', '\\,', '\\=') },
    ),
    {
      minLength: 1,
      maxLength: 3,
    },
  )
  .map((parts) => parts.join(''));

const INTEGERS = ['0i', '-1i', '42i', '9223372036854775807i', '-9223372036854775808i'];
const FLOATS = [
  '1',
  '-1',
  '0.5',
  '.5',
  '-.5',
  '5.',
  '1e3',
  '1E-3',
  '1e+300',
  '123456789012345678901234567890',
];
/** What is no number, no boolean, or just beyond what there is room for. */
const BAD_VALUES = [
  ...[
    '+1',
    '0x1',
    'NaN',
    'Inf',
    '-Inf',
    'nan',
    '1e400',
    '-',
    '.',
    '-.',
    '1.1.1',
    '1e',
    'e1',
    '1e+',
    '--1',
    '1-',
    '1e5i',
  ],
  ...[
    '9223372036854775808i',
    '-9223372036854775809i',
    '1.5i',
    'i',
    '-i',
    '1ii',
    '1i2',
    '5u',
    'u',
    '-5u',
    '1_000',
    '1u2',
  ],
  ...[
    'tRUE',
    'truE',
    'yes',
    'tr',
    'falsee',
    'FALSe',
    'nil',
    '',
    '"',
    '"a',
    'a"',
    '"a"b',
    '"a""b"',
    "'a'",
    '1\t',
    '\t1',
  ],
];
const TIMES = [
  '0',
  '1',
  '-1',
  '1700000000',
  '9223372036854775806',
  '-9223372036854775806',
  '007',
  '-0',
];
const BAD_TIMES = [
  ...[
    '9223372036854775807',
    '-9223372036854775807',
    '-9223372036854775808',
    '9223372036854775808',
    '-',
    '--1',
    '+1',
    '1.0',
  ],
  ...[
    '99999999999999999999999',
    '1 2',
    '1e3',
    'now',
    '1\r',
    '1\t',
    '\t1',
    '1 \t',
    '2562047788015215',
    '153722867280912930',
  ],
];

/** The type goes with the field's name, so that lines seldom contradict each other. */
const goodField = fc.oneof(
  fc.tuple(fc.constantFrom('f', 'f1', 'f\\ x'), fc.constantFrom(...FLOATS)),
  fc.tuple(fc.constantFrom('i', 'i\\,1'), fc.constantFrom(...INTEGERS)),
  fc.tuple(
    fc.constantFrom('bo', '"b"'),
    fc.constantFrom('t', 'T', 'true', 'True', 'TRUE', 'f', 'F', 'false', 'False', 'FALSE'),
  ),
  fc.tuple(
    fc.constantFrom('s', 's\\=1'),
    fc.constantFrom('""', '"x y"', '"a,b=c"', '"li\nne"', '"q\\"q"', '"b\\\\"', '"\\x"', '"#"'),
  ),
);
const badField = fc.tuple(fc.constantFrom('z', '', '=', ' '), fc.constantFrom(...BAD_VALUES));

function lineOf(parts: {
  measurement: string;
  tags: [string, string][];
  fields: (readonly [string, string])[];
  time: string | undefined;
}): string {
  const tags = parts.tags.map(([key, value]) => `,${key}=${value}`).join('');
  const fields = parts.fields.map(([key, value]) => `${key}=${value}`).join(',');
  const time = parts.time === undefined ? '' : ` ${parts.time}`;
  return `${parts.measurement}${tags} ${fields}${time}`;
}

/** Mostly a good line; tags in any order, sometimes twice. */
export const ordinaryLine = fc
  .record({
    measurement: name,
    tags: fc.array(fc.tuple(name, name), { maxLength: 4 }),
    fields: fc.array(goodField, { minLength: 1, maxLength: 3 }),
    time: fc.option(fc.constantFrom(...TIMES), { nil: undefined }),
  })
  .map(lineOf);

const badLine = fc
  .record({
    measurement: fc.oneof(
      name,
      fc.constantFrom('', '#c', ',', '=', ' m', '\tm', '\0m', '\\', '"m', 'm"='),
    ),
    tags: fc.array(fc.tuple(fc.oneof(name, oddity), fc.oneof(name, oddity, fc.constant(''))), {
      maxLength: 3,
    }),
    fields: fc.array(fc.oneof(goodField, badField), { maxLength: 3 }),
    time: fc.option(fc.constantFrom(...TIMES, ...BAD_TIMES), { nil: undefined }),
  })
  .map(lineOf);

/** A line with one or two oddities put in, or a piece cut out. */
const mutated = fc
  .tuple(
    ordinaryLine,
    fc.array(fc.tuple(fc.nat(), oddity, fc.nat(2)), { minLength: 1, maxLength: 2 }),
  )
  .map(([line, edits]) =>
    edits.reduce((text, [place, odd, cut]) => {
      const at = place % (text.length + 1);
      return text.slice(0, at) + odd + text.slice(at + cut);
    }, line),
  );

const noLine = fc.constantFrom('', ' ', '# comment', '# f="open', ' \t', '\r', '\0', '#');

/** Some lines, as one body; bytes that are no UTF-8 now and then. */
export const oddBody = fc
  .tuple(
    fc.array(
      fc.oneof(
        { weight: 3, arbitrary: ordinaryLine },
        { weight: 4, arbitrary: mutated },
        { weight: 3, arbitrary: badLine },
        { weight: 1, arbitrary: noLine },
      ),
      { minLength: 1, maxLength: 5 },
    ),
    fc.constantFrom('', '\n', ' ', '\n\n'),
    fc.option(fc.tuple(fc.nat(), fc.constantFrom(0xff, 0xc3, 0xe2, 0x80)), {
      nil: undefined,
      freq: 6,
    }),
  )
  .map(([lines, end, raw]) => {
    const body = Buffer.from(lines.join('\n') + end);
    if (raw && body.length > 0) body[raw[0] % body.length] = raw[1];
    return body;
  });
