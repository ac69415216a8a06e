// The parser beside a real influxd: it takes for a query exactly what influxd takes for one.
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { parseQuery } from '../../shared/influx/influxql/parse.js';
import { mutations, ODDITIES, STATEMENTS } from '../support/influxql-statements.js';
import { startInfluxd, type TestInfluxd } from '../support/influxd.js';

const CASES = new URL('../conformance/influxql-cases.json', import.meta.url);
/** Enough to find a fault in any clause, few enough for some seconds. */
const MUTATIONS = 1_500;
const AT_ONCE = 8;

/** JSON of a parameter. */
const VALUES: readonly string[] = [
  '"text"',
  '"a\\nb"',
  '1',
  '-1',
  '1.5',
  'true',
  'null',
  '[1]',
  '{}',
  '{"a": 1, "b": 2}',
  '{"nope": "a"}',
  '{"ident": "a"}',
  '{"identifier": 1}',
  '{"regex": "a|b"}',
  '{"regex": "("}',
  '{"string": "a"}',
  '{"float": 1}',
  '{"number": 1.5}',
  '{"int": 3}',
  '{"integer": "3"}',
  '{"duration": "1h"}',
  '{"duration": "-1h"}',
  '{"duration": "--1h"}',
  '{"duration": "x"}',
  '{"duration": 60000000000}',
];

const WITH_PARAMETER: readonly string[] = [
  'SELECT $x FROM m',
  'SELECT -$x FROM m',
  'SELECT a FROM $x',
  'SELECT a FROM r.$x',
  'SELECT a FROM m WHERE b = $x',
  'SELECT a FROM m WHERE b =~ $x',
  'SELECT a FROM m WHERE $x',
  'SELECT a FROM m WHERE time > now() - $x',
  'SELECT mean(a) FROM m GROUP BY time($x)',
  'SELECT mean(a) FROM m GROUP BY $x',
  'SELECT mean(a) FROM m GROUP BY $x, b',
  'SELECT f($x, $x) FROM m LIMIT $x',
  'SELECT a FROM m fill($x)',
  'SELECT a FROM m tz($x)',
  'SELECT a AS $x FROM m',
  'SHOW TAG VALUES WITH KEY =~ $x',
  'SHOW TAG VALUES WITH KEY IN ($x)',
  'CREATE DATABASE $x',
  "CREATE USER $x WITH PASSWORD 'a'",
  'CREATE USER u WITH PASSWORD $x',
  'CREATE RETENTION POLICY r ON d DURATION $x REPLICATION 1',
  'CREATE RETENTION POLICY r ON d DURATION 1h REPLICATION $x',
  'DELETE FROM $x WHERE a = $x',
  'DROP SHARD $x',
  'KILL QUERY $x ON $x',
  'SELECT a FROM m WHERE b = $"x"',
  'SELECT a FROM m WHERE b = $y',
];

interface Cases {
  readonly cases: readonly { readonly steps: readonly { readonly q?: string }[] }[];
}

describe('influxql: the parser beside a real influxd', () => {
  let influxd: TestInfluxd;
  before(async () => {
    influxd = await startInfluxd();
  });
  after(() => influxd.remove());

  /** The texts of which one says something else than the other. `params`: JSON. */
  async function differences(texts: readonly string[], params = '{}'): Promise<string[]> {
    const found: string[] = [];
    const left = [...texts];
    const work = async (): Promise<void> => {
      for (let text = left.pop(); text !== undefined; text = left.pop()) {
        const theirs = await refusal(influxd, text, params);
        const ours = parseQuery(text, JSON.parse(params) as Record<string, unknown>);
        if ((theirs === undefined) !== (ours.kind === 'parsed')) {
          const mine = ours.kind === 'parsed' ? ours.kind : ours.why;
          found.push(`${text}\n   influxd: ${theirs ?? 'parsed'}\n   we: ${mine}`);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return found;
  }

  it('takes each statement class, and refuses the odd ones that influxd refuses', async () => {
    const found = await differences([...STATEMENTS, ...ODDITIES]);
    expect(found.join('\n')).to.equal('');
  });

  it('takes all queries of the conformance cases that influxd takes', async () => {
    const found = await differences(queries());
    expect(found.join('\n')).to.equal('');
  });

  it('takes the parameters that influxd takes, where it takes them', async () => {
    for (const value of VALUES) {
      const found = await differences(WITH_PARAMETER, `{"x": ${value}}`);
      expect(found.join('\n'), value).to.equal('');
    }
  });

  it('judges mutated statements as influxd does', async function () {
    this.timeout(60_000);
    const all = mutations([...STATEMENTS, ...queries(), ...ODDITIES], MUTATIONS, 7);
    // A name of a group without P is for later versions of Go.
    const texts = all.filter((text) => !text.includes('(?<'));
    const found = await differences(texts);
    expect(found.join('\n')).to.equal('');
  });
});

function queries(): string[] {
  const cases = JSON.parse(readFileSync(CASES, 'utf8')) as Cases;
  const texts = cases.cases.flatMap((one) => one.steps.map((step) => step.q ?? ''));
  return [...new Set(texts)].filter((text) => text !== '');
}

/** Why influxd refuses a text as no query; undefined where it takes it, whatever comes of it then. */
async function refusal(
  influxd: TestInfluxd,
  text: string,
  params: string,
): Promise<string | undefined> {
  const response = await fetch(`${influxd.url}/query?db=nowhere`, {
    method: 'POST',
    body: new URLSearchParams({ q: text, params }),
    signal: AbortSignal.timeout(10_000),
  });
  const body = await response.text();
  if (response.status !== 400 || !body.includes('error parsing query: ')) return undefined;
  return (JSON.parse(body) as { error: string }).error;
}
