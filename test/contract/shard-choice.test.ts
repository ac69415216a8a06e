// The fixture that series keys and their hash are tested with (test/unit/shared/influx/series-key.test.ts), beside influxd.
import { expect } from 'chai';
import vectors from '../fixtures/shard-vectors.json' with { type: 'json' };
import { serverWithShards, shardChoices } from '../support/shard-choice.js';

describe('the shard that a real influxd puts a series into', () => {
  it('is the one in the fixture', async () => {
    const { shards, choices } = vectors[1]!;
    const influxd = await serverWithShards(shards);
    try {
      const keys = choices.map(({ key }) => Buffer.from(key, 'base64'));
      expect(await shardChoices(influxd, keys)).to.deep.equal(choices);
    } finally {
      await influxd.remove();
    }
  });
});
