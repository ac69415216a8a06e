// Bytes of a meta.db (or of a snapshot in a manager) to messages and back. Refuses what influxd itself would not load.
import type { DescMessage, Message } from '@bufbuild/protobuf';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt';
import { AppError, messageOf } from '../errors/app-error.js';
import type { Data } from './gen/meta_pb.js';
import { ContinuousQueryInfoSchema, DataSchema, SubscriptionInfoSchema } from './gen/meta_pb.js';

/** Reads a `meta.Data` message. Throws AppError `snapshot-invalid` (status 400) with the reason in words. */
export function decodeSnapshot(bytes: Uint8Array): Data {
  let data: Data;
  try {
    data = fromBinary(DataSchema, bytes);
  } catch (error) {
    throw invalid(
      `these ${bytes.length} bytes are not a meta.Data message (${messageOf(error)})`,
      error,
    );
  }
  // The library enforces `required` only when it encodes, so an empty body would pass as an empty cluster.
  const seen = { replaced: 0 };
  const missing = missingField(DataSchema, data, seen);
  if (missing !== undefined) throw invalid(`the required field ${missing} is missing`);
  if (seen.replaced > 0 && seen.replaced > countOf(REPLACEMENT_BYTES, bytes)) {
    throw invalid('a text in it is not UTF-8');
  }
  uniteTwins(data);
  const duplicate = duplicateName(data);
  if (duplicate !== undefined) throw invalid(duplicate);
  return data;
}

/** The inverse of `decodeSnapshot`; unknown fields come out as they came in. */
export function encodeSnapshot(data: Data): Uint8Array {
  return toBinary(DataSchema, data);
}

function invalid(reason: string, cause?: unknown): AppError {
  return new AppError('snapshot-invalid', `not a metadata snapshot of InfluxDB 1.x: ${reason}`, {
    status: 400,
    cause,
  });
}

/** What the library puts in the place of bytes that are not UTF-8: another name, which nobody gave. */
const REPLACEMENT = '\uFFFD';
const REPLACEMENT_BYTES = Buffer.from(REPLACEMENT);

/**
 * The path of the first required field that is not there, e.g. `Databases[2].Name`. Counts replacement characters on its
 * way, because it looks at every field anyway.
 */
function missingField(
  schema: DescMessage,
  message: Message,
  seen: { replaced: number },
): string | undefined {
  const values = message as unknown as Record<string, unknown>;
  for (const field of schema.fields) {
    seen.replaced += replacementsIn(values[field.localName]);
    if (
      field.presence === FeatureSet_FieldPresence.LEGACY_REQUIRED &&
      !Object.hasOwn(message, field.localName)
    ) {
      return field.name;
    }
    if (field.fieldKind !== 'list' || field.listKind !== 'message') continue;
    for (const [index, item] of (values[field.localName] as Message[]).entries()) {
      const missing = missingField(field.message, item, seen);
      if (missing !== undefined) return `${field.name}[${index}].${missing}`;
    }
  }
  return undefined;
}

/** In a text, or in a list of texts. */
function replacementsIn(value: unknown): number {
  if (typeof value === 'string') {
    return value.includes(REPLACEMENT) ? value.split(REPLACEMENT).length - 1 : 0;
  }
  if (!Array.isArray(value) || typeof value[0] !== 'string') return 0;
  return value.reduce<number>((sum, each) => sum + replacementsIn(each), 0);
}

function countOf(pattern: Buffer, bytes: Uint8Array): number {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let count = 0;
  for (let at = buffer.indexOf(pattern); at >= 0; at = buffer.indexOf(pattern, at + 1)) count += 1;
  return count;
}

/**
 * The same subscription or query twice, to the letter, is one. influxd 1.6 leaves it so in its memory when it fails to commit a
 * drop (a full disk): it deletes in the list that the metadata before shares, where the others have moved up by one.
 */
function uniteTwins(data: Data): void {
  for (const database of data.Databases) {
    database.ContinuousQueries = withoutTwins(
      ContinuousQueryInfoSchema,
      database.ContinuousQueries,
    );
    for (const policy of database.RetentionPolicies) {
      policy.Subscriptions = withoutTwins(SubscriptionInfoSchema, policy.Subscriptions);
    }
  }
}

function withoutTwins<T extends Message & { Name: string }>(
  schema: GenMessage<T>,
  items: T[],
): T[] {
  if (new Set(items.map(({ Name }) => Name)).size === items.length) return items;
  const seen = new Set<string>();
  return items.filter((item) => {
    const bytes = Buffer.from(toBinary(schema, item)).toString('base64');
    const isTwin = seen.has(bytes);
    seen.add(bytes);
    return !isTwin;
  });
}

/** What influxd would load and then mix up: two objects of one name, or a privilege outside 0 to 3. */
function duplicateName(data: Data): string | undefined {
  return (
    firstRepeated('database', data.Databases) ??
    firstRepeated('user', data.Users) ??
    firstOf(
      data.Databases,
      (database) =>
        firstRepeated(`policy of database ${quoted(database.Name)}`, database.RetentionPolicies) ??
        firstRepeated(
          `continuous query of database ${quoted(database.Name)}`,
          database.ContinuousQueries,
        ) ??
        firstOf(database.RetentionPolicies, (policy) =>
          firstRepeated(`subscription of policy ${quoted(policy.Name)}`, policy.Subscriptions),
        ),
    ) ??
    firstOf(data.Users, (user) =>
      firstOf(user.Privileges, ({ Privilege }) =>
        Privilege >= 0 && Privilege <= 3
          ? undefined
          : `user ${quoted(user.Name)} has the unknown privilege ${Privilege}`,
      ),
    )
  );
}

function firstRepeated(what: string, items: readonly { Name: string }[]): string | undefined {
  const seen = new Set<string>();
  for (const { Name } of items) {
    if (seen.has(Name)) return `the ${what} ${quoted(Name)} is there twice`;
    seen.add(Name);
  }
  return undefined;
}

function firstOf<T>(
  items: readonly T[],
  find: (item: T) => string | undefined,
): string | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

function quoted(name: string): string {
  return JSON.stringify(name);
}
