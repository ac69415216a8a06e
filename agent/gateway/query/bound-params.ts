// The JSON of bound parameters (`params`), with all digits of its numbers: influxd tells integers from floats by how they are
// written, and has integers of 64 bits.

const INT64_MAX = 2n ** 63n - 1n;
/** Of sound JSON: its strings (names too), and its numbers. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const STRING = 's';
const NUMBER = 'n';

/**
 * By name; integers as bigint, a float without a fraction as `{float: 1}`, which influxd takes for the same. Undefined where the
 * text is no object of JSON, or has a number that influxd does not take: it refuses it in its own words.
 */
export function boundParams(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    JSON.parse(text);
    // JSON.parse forgets how numbers were written, so they go through it as strings, marked as numbers.
    const marked = text.replace(TOKENS, (token) =>
      token.startsWith('"') ? `"${STRING}${token.slice(1)}` : `"${NUMBER}${token}"`,
    );
    const parsed: unknown = JSON.parse(marked, (name, value: unknown) => {
      if (typeof value === 'string') return unmarked(value);
      // Names are marked too, so that only the whole has none.
      return isObject(value) ? withNames(value, name === '') : value;
    });
    return isObject(parsed) ? parsed : undefined;
  } catch {
    // Not JSON, or a number out of range: the caller lets influxd say so.
    return undefined;
  }
}

type Members = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unmarked(text: string): unknown {
  const rest = text.slice(1);
  return text.startsWith(STRING) ? rest : numberOf(rest);
}

/** With a point it is a float for influxd, without one an integer of 64 bits or nothing. */
function numberOf(text: string): unknown {
  if (text.includes('.')) return Number(text);
  const integer = BigInt(text);
  if (integer > INT64_MAX || integer < -INT64_MAX - 1n) throw new RangeError(text);
  return integer;
}

function withNames(members: Members, isWhole: boolean): Members {
  return Object.fromEntries(
    Object.entries(members).map(([name, value]) => [
      name.slice(1),
      isWhole && Number.isInteger(value) ? { float: value } : value,
    ]),
  );
}
