import { expect } from 'chai';
import { LineScanner } from '../../../../shared/influx/scan/line-scanner.js';
import { fnv1a64, seriesKey, shardIndex } from '../../../../shared/influx/series-key.js';
import vectors from '../../../fixtures/shard-vectors.json' with { type: 'json' };

function keyOf(key: string): string {
  return seriesKey(Buffer.from(key)).toString();
}

function hashOf(text: string): bigint {
  const { hi, lo } = fnv1a64(Buffer.from(text));
  return BigInt(hi) * 2n ** 32n + BigInt(lo);
}

describe('the name of a series', () => {
  it('has the tags sorted by the raw bytes of their keys, and nothing else changed', () => {
    expect(keyOf('m')).to.equal('m');
    expect(keyOf('m,a=1,b=2')).to.equal('m,a=1,b=2');
    expect(keyOf('m,b=2,a=1')).to.equal('m,a=1,b=2');
    expect(keyOf('m,aa=1,a=2,B=3')).to.equal('m,B=3,a=2,aa=1');
    expect(keyOf('m\\,x,b=\\,\\ ,a\\==2')).to.equal('m\\,x,a\\==2,b=\\,\\ ');
    const sorted = Buffer.from('m,a=1');
    expect(seriesKey(sorted)).to.equal(sorted);
  });
});

describe('the shard of a series', () => {
  it('is chosen by FNV-1a of 64 bits', () => {
    // From the reference of FNV.
    expect(hashOf('')).to.equal(0xcbf29ce484222325n);
    expect(hashOf('a')).to.equal(0xaf63dc4c8601ec8cn);
    expect(hashOf('foobar')).to.equal(0x85944171f73967e8n);
  });

  it('is the unsigned hash modulo the number of shards', () => {
    for (const shards of [1, 2, 3, 7, 1_000, 1_048_575]) {
      for (const text of ['', 'a', 'foobar', 'cpu,host=x']) {
        const expected = Number(hashOf(text) % BigInt(shards));
        expect(shardIndex(fnv1a64(Buffer.from(text)), shards)).to.equal(expected);
      }
    }
  });

  it('is that in which influxd put it', () => {
    for (const { shards, choices } of vectors) {
      const keys = choices.map(({ key }) => Buffer.from(key, 'base64'));
      const body = Buffer.concat(keys.flatMap((key) => [key, Buffer.from(' f=1 1\n')]));
      const lines = new LineScanner({ precision: 'n', defaultTimeNs: 0n }).scan(body);
      expect(lines.failed).to.equal(0);
      choices.forEach(({ shard }, line) => {
        expect(lines.shardOf(line, shards), lines.text(line)).to.equal(shard);
        expect(shardIndex(fnv1a64(seriesKey(keys[line]!)), shards)).to.equal(shard);
      });
      expect(new Set(choices.map(({ shard }) => shard)).size).to.equal(shards);
    }
  });
});
