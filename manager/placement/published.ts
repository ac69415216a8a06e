// A version of the placement as readers and the next writer need it: its name, its groups and its JSON, each loaded once.
import { z } from 'zod';
import { groupFromWire, groupSchema } from '../../shared/api/placement.js';
import { AppError } from '../../shared/errors/app-error.js';
import type { PlacedGroup } from '../../shared/placement/model.js';
import type { BlobStore } from '../metadata/blob-store.js';
import type { PlacementKeys } from '../store/keys.js';
import type { Entry } from '../store/port.js';
import { decodeRecord } from '../store/records.js';
import { blobOf, placementPointer, type DatabaseEntry, type PlacementPointer } from './records.js';
import { bodyOf, type PlacementState } from './state.js';

export interface PlacementDeps {
  readonly keys: PlacementKeys;
  readonly blobs: BlobStore;
  /** Groups by the id of their blob, of the last version that was loaded. */
  readonly cache: Map<string, readonly PlacedGroup[]>;
}

const groupList = z.array(groupSchema);

export class PublishedPlacement {
  readonly record: PlacementPointer;
  readonly tag: { readonly version: number; readonly incarnation: string };
  /** Of the pointer: what the next compare-and-swap compares. */
  readonly modRevision: number;
  private loading: Promise<PlacementState> | undefined;
  private rendered: Buffer | undefined;

  constructor(
    readonly entry: Entry,
    private readonly deps: PlacementDeps,
    /** What its writer has in hand already; else it is loaded when somebody asks. */
    state?: PlacementState,
  ) {
    this.record = decodeRecord(entry, placementPointer);
    const { version, incarnation } = this.record;
    this.tag = { version, incarnation };
    this.modRevision = entry.modRevision;
    if (state !== undefined) this.loading = Promise.resolve(state);
  }

  /** Throws AppError `version-not-found` where its blobs are gone: then it is not the newest any more. */
  state(): Promise<PlacementState> {
    this.loading ??= this.load().catch((error: unknown) => {
      this.loading = undefined;
      throw error;
    });
    return this.loading;
  }

  /** Its JSON, made once and the same buffer for all readers. `state` is its own, loaded before. */
  bodyOnce(state: PlacementState): Buffer {
    this.rendered ??= Buffer.from(JSON.stringify(bodyOf(state)));
    return this.rendered;
  }

  private async load(): Promise<PlacementState> {
    const { databases: entries, announced, ...rest } = this.record;
    const { cache } = this.deps;
    const databases = new Map<string, readonly PlacedGroup[]>();
    const loaded = await Promise.all(entries.map((entry) => this.groupsOf(entry)));
    for (const [index, [database]] of entries.entries()) {
      databases.set(database, loaded[index] ?? []);
    }
    cache.clear();
    for (const [index, entry] of entries.entries()) cache.set(entry[1], loaded[index] ?? []);
    return { ...rest, announced: new Map(announced), databases };
  }

  private async groupsOf(entry: DatabaseEntry): Promise<readonly PlacedGroup[]> {
    const { cache, blobs, keys } = this.deps;
    const ref = blobOf(entry);
    const known = cache.get(ref.id);
    if (known !== undefined) return known;
    const bytes = await blobs.read(keys, ref);
    if (bytes === undefined) throw overtaken(this.record.version);
    return groupList.parse(JSON.parse(bytes.toString())).map(groupFromWire);
  }
}

function overtaken(version: number): AppError {
  return new AppError(
    'version-not-found',
    `version ${version} of the placement is not kept any more; read the newest`,
    { status: 503, retryable: true },
  );
}
