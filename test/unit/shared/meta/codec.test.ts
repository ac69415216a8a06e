import { create } from '@bufbuild/protobuf';
import { expect } from 'chai';
import fc from 'fast-check';
import { isAppError } from '../../../../shared/errors/app-error.js';
import { decodeSnapshot, encodeSnapshot } from '../../../../shared/meta/codec.js';
import {
  DatabaseInfoSchema,
  RetentionPolicyInfoSchema,
  SubscriptionInfoSchema,
  UserInfoSchema,
  UserPrivilegeSchema,
} from '../../../../shared/meta/gen/meta_pb.js';
import { emptyData, readSchema, writeSchema } from '../../../../shared/meta/snapshot.js';
import { anySchema } from '../../../support/schema-builders.js';

function refusalOf(bytes: Uint8Array): string | undefined {
  try {
    decodeSnapshot(bytes);
    return undefined;
  } catch (error) {
    if (!isAppError(error, 'snapshot-invalid')) throw error;
    return error.message;
  }
}

/** As influxd writes it when it starts for the first time: Index 1, a ClusterID, zeros. */
const FRESH = Buffer.from('080010011881c0a0d0b0a0908801380040004800', 'hex');

describe('the snapshot codec', () => {
  it('reads a fresh meta.db and writes the same bytes', () => {
    const data = decodeSnapshot(FRESH);
    expect(data.Index).to.equal(1n);
    expect(Buffer.from(encodeSnapshot(data))).to.deep.equal(FRESH);
  });

  it('refuses an empty body, which protobuf alone takes for an empty message', () => {
    expect(refusalOf(Buffer.alloc(0))).to.match(/required field Term is missing/);
  });

  it('refuses every truncation of a real file', () => {
    for (let length = 0; length < FRESH.length; length += 1) {
      expect(refusalOf(FRESH.subarray(0, length)), `${length} bytes`).to.be.a('string');
    }
  });

  it('names the field that is missing deep inside', () => {
    const data = emptyData();
    data.Databases.push(create(DatabaseInfoSchema, { Name: 'x', DefaultRetentionPolicy: '' }));
    const whole = encodeSnapshot(data);
    // field 2 of the database (its default policy: tag 0x12, length 0) cut out of the message
    const at = Buffer.from(whole).indexOf(Buffer.from([0x0a, 0x01, 0x78, 0x12, 0x00]));
    const cut = Buffer.concat([whole.subarray(0, at + 3), whole.subarray(at + 5)]);
    cut[at - 1] = 3;
    expect(refusalOf(cut)).to.match(/Databases\[0\]\.DefaultRetentionPolicy is missing/);
  });

  it('refuses text, JSON and random bytes, always with a sentence', () => {
    for (const text of ['hello', '{"databases": []}', '<html></html>', '\0'.repeat(40)]) {
      expect(refusalOf(Buffer.from(text)), text).to.match(/^not a metadata snapshot/);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        refusalOf(bytes); // throws where it is another error than snapshot-invalid
      }),
      { numRuns: 2000 },
    );
  });

  it('takes the same subscription twice for one, as influxd has it after a drop that its full disk refused', () => {
    const data = emptyData();
    const subscription = (name: string, mode: string) =>
      create(SubscriptionInfoSchema, { Name: name, Mode: mode, Destinations: ['udp://h:1'] });
    const policy = create(RetentionPolicyInfoSchema, {
      Name: 'p',
      Duration: 0n,
      ShardGroupDuration: 1n,
      ReplicaN: 1,
      Subscriptions: [subscription('a', 'ALL'), subscription('b', 'ALL'), subscription('b', 'ALL')],
    });
    data.Databases.push(
      create(DatabaseInfoSchema, {
        Name: 'x',
        DefaultRetentionPolicy: 'p',
        RetentionPolicies: [policy],
      }),
    );
    const names = () =>
      decodeSnapshot(encodeSnapshot(data)).Databases[0]?.RetentionPolicies[0]?.Subscriptions.map(
        ({ Name }) => Name,
      );
    expect(names()).to.deep.equal(['a', 'b']);
    policy.Subscriptions.push(subscription('a', 'ANY'));
    expect(refusalOf(encodeSnapshot(data))).to.match(
      /subscription of policy "p" "a" is there twice/,
    );
  });

  it('refuses what influxd would load and mix up', () => {
    const twice = emptyData();
    const database = create(DatabaseInfoSchema, { Name: 'x', DefaultRetentionPolicy: '' });
    twice.Databases.push(database, database);
    expect(refusalOf(encodeSnapshot(twice))).to.match(/database "x" is there twice/);
    const odd = emptyData();
    const privilege = create(UserPrivilegeSchema, { Database: 'x', Privilege: 7 });
    odd.Users.push(
      create(UserInfoSchema, { Name: 'u', Hash: 'h', Admin: false, Privileges: [privilege] }),
    );
    expect(refusalOf(encodeSnapshot(odd))).to.match(/unknown privilege 7/);
  });

  it('keeps fields that it does not know', () => {
    const unknown = Buffer.from([0xa2, 0x06, 0x03, 0x61, 0x62, 0x63]); // field 100, "abc"
    const bytes = Buffer.concat([FRESH, unknown]);
    expect(Buffer.from(encodeSnapshot(decodeSnapshot(bytes)))).to.deep.equal(bytes);
  });

  it('gives back any schema that was written', () => {
    fc.assert(
      fc.property(anySchema, (schema) => {
        const bytes = encodeSnapshot(writeSchema(emptyData(), schema));
        expect(readSchema(decodeSnapshot(bytes))).to.deep.equal(schema);
      }),
      { numRuns: 500 },
    );
  });
});
