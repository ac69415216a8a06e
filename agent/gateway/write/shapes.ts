// Which shapes of points (measurement, field keys and types) a shard's owners have taken already. A batch with another one
// goes to one owner first, because two owners that see two types of one field in another order would keep different points.

/** Shards that are written at once, for all databases and a few periods of each. */
const MAX_SHARDS = 1_024;
/** Per shard. What falls out is only asked about again. */
const MAX_SHAPES = 8_192;

interface Known {
  /** The number of the last numbered delete: after another one a field may be free for another type. */
  readonly deletes: number;
  readonly shapes: Set<number>;
}

export class ShapeMemory {
  private readonly shards = new Map<number, Known>();

  /** Of these shapes, those that the shard's owners may never have seen. */
  unseen(shard: number, deletes: number, shapes: ReadonlySet<number>): ReadonlySet<number> {
    const known = this.shards.get(shard);
    if (known?.deletes !== deletes) return shapes;
    this.shards.delete(shard);
    this.shards.set(shard, known);
    const unseen = new Set<number>();
    for (const shape of shapes) {
      if (known.shapes.delete(shape)) known.shapes.add(shape);
      else unseen.add(shape);
    }
    return unseen;
  }

  /** An owner has taken all points of these shapes. */
  learn(shard: number, deletes: number, shapes: Iterable<number>): void {
    let known = this.shards.get(shard);
    if (known?.deletes !== deletes) {
      known = { deletes, shapes: new Set() };
      this.shards.delete(shard);
      this.shards.set(shard, known);
      if (this.shards.size > MAX_SHARDS) dropFirst(this.shards);
    }
    for (const shape of shapes) {
      known.shapes.delete(shape);
      known.shapes.add(shape);
      if (known.shapes.size > MAX_SHAPES) dropFirst(known.shapes);
    }
  }
}

/** Sets and maps keep the order in which things came: the first is what was used longest ago. */
function dropFirst<K>(of: { keys(): IterableIterator<K>; delete(key: K): boolean }): void {
  const first = of.keys().next();
  if (first.done !== true) of.delete(first.value);
}
