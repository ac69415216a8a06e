// A ghost that watches a simulated cluster and knows, for every database, which *object* stands under its name where: each
// creation by a user is one, an agent's creation is the one it copies. It tells when an agent drops, here or in the cluster,
// an object that no user dropped. The same judgement as in the exhaustive model of the reconciler.
import type { BaseRecord } from '../../agent/sync/base.js';
import { keyOf } from '../../shared/meta/model.js';
import type { SimulatedCluster, SimulatedNode } from './simulated-node.js';
import { CLUSTER } from './simulated-node.js';

type Identity = string;

export class IdentityGhost {
  readonly violations: string[] = [];
  private readonly parents = new Map<Identity, Identity>();
  private readonly dropped = new Set<Identity>();
  /** What stands under a name on a node, and what stood there when its agent last looked. */
  private readonly present = new Map<string, Identity>();
  private readonly looked = new Map<string, Identity | undefined>();
  private count = 0;

  constructor(private readonly cluster: SimulatedCluster) {
    for (const node of cluster.nodes) this.attach(node);
  }

  /** A user creates a database with a point in it, so that its re-creation can be seen; false where the ghost could not. */
  create(node: SimulatedNode, database: string): boolean {
    const place = placeOf(node, database);
    if (this.present.has(place) || isInWindow(node)) return false;
    if (!canBeSeen(node, database) || this.wouldBeTwin(node, database)) return false;
    node.user(`CREATE DATABASE "${database}"`);
    node.influx.write(database, undefined, 0n);
    this.present.set(place, this.newIdentity());
    return true;
  }

  drop(node: SimulatedNode, database: string): boolean {
    const place = placeOf(node, database);
    const identity = this.present.get(place);
    if (identity === undefined || isInWindow(node)) return false;
    node.user(`DROP DATABASE "${database}"`);
    this.present.delete(place);
    this.dropped.add(this.find(identity));
    return true;
  }

  /**
   * Twins, two creations that did not see each other, are the design's known residue: no user makes them here. A creation
   * where the cluster still has the name is one, unless it follows this node's own drop.
   */
  private wouldBeTwin(node: SimulatedNode, database: string): boolean {
    const key = keyOf({ kind: 'database', path: [database] });
    const isInCluster = this.cluster.manager.newest(CLUSTER)?.schema.has(key) ?? false;
    const isOwnSuccessor = node.store.state.entries.get(key)?.remote !== undefined;
    if (isInCluster && !isOwnSuccessor) return true;
    const elsewhere = this.cluster.nodes.map((each) => this.present.get(placeOf(each, database)));
    return elsewhere.some((each) => each !== undefined && !this.dropped.has(this.find(each)));
  }

  /** At rest: nothing that a user dropped is there. */
  zombies(): string[] {
    return [...this.present]
      .filter(([, identity]) => this.dropped.has(this.find(identity)))
      .map(([place]) => `${place} was dropped by a user and is there`);
  }

  // ---- watching

  private readonly marks = new Map<string, Identity>();

  private attach(node: SimulatedNode): void {
    node.observer = {
      looked: () => this.look(node),
      appended: (records) => this.merge(node, records),
      executed: (statement) => this.executed(node, statement),
      written: (version) => this.written(node, version),
    };
  }

  private look(node: SimulatedNode): void {
    for (const { Name } of node.influx.data.Databases) {
      const place = placeOf(node, Name);
      this.looked.set(place, this.present.get(place));
    }
    for (const place of this.looked.keys()) {
      if (place.startsWith(`${node.id} `) && !this.present.has(place)) {
        this.looked.set(place, undefined);
      }
    }
  }

  /** A base entry with both sides says: what I last saw here is the cluster's object of that mark. */
  private merge(node: SimulatedNode, records: readonly BaseRecord[]): void {
    for (const record of records) {
      if (record.record !== 'moves') continue;
      for (const { entry } of record.moves) {
        if (entry?.remote?.object.kind !== 'database' || entry.local === undefined) continue;
        const [database] = entry.remote.object.path;
        const here = this.looked.get(placeOf(node, database));
        if (here !== undefined) this.unify(here, this.marked(database, entry.remote.mark));
      }
    }
  }

  private executed(node: SimulatedNode, statement: string): void {
    const match = /^(CREATE|DROP) DATABASE "([^"]+)"/.exec(statement);
    if (!match) return;
    const place = placeOf(node, match[2]!);
    const identity = this.present.get(place);
    if (match[1] === 'CREATE') {
      // A user's creation between the agent's look and its own is taken for its own: the window that nothing can close.
      const isOverlooked = identity === undefined || this.looked.get(place) === undefined;
      if (isOverlooked) this.present.set(place, this.copied(node, match[2]!));
      return;
    }
    if (identity === undefined) return;
    // A user who acted between the agent's last look and its statement is the window that nothing can close.
    const isSeen = this.looked.get(place) === identity;
    if (isSeen && !this.dropped.has(this.find(identity))) {
      this.violations.push(`agent ${place}: drops an object that no user dropped`);
    }
    this.present.delete(place);
  }

  private written(node: SimulatedNode, version: number): void {
    const history = this.cluster.manager.history(CLUSTER);
    const after = history.find(({ tag }) => tag.version === version);
    const before = history.find(({ tag }) => tag.version === version - 1);
    for (const [key, { kind, path }] of after?.schema ?? []) {
      if (kind !== 'database' || before?.schema.has(key)) continue;
      // What the agent looked at is what it shared, whatever the user did since.
      const looked = this.looked.get(placeOf(node, path[0]));
      if (looked !== undefined) this.marks.set(`${path[0]}@${version}`, looked);
    }
    for (const [key, { kind, path }] of before?.schema ?? []) {
      if (kind !== 'database' || after?.schema.has(key)) continue;
      const identity = this.marked(path[0], before?.marks.marks.get(key) ?? 0);
      if (!this.dropped.has(this.find(identity))) {
        this.violations.push(`agent ${node.id} pushes a drop of ${path[0]}, which no user dropped`);
      }
    }
  }

  /** What an agent creates is the object of the version that it has in view. */
  private copied(node: SimulatedNode, database: string): Identity {
    const version = node.remoteView.tag?.version;
    const view = this.cluster.manager.history(CLUSTER).find(({ tag }) => tag.version === version);
    const mark = view?.marks.marks.get(keyOf({ kind: 'database', path: [database] }));
    return mark === undefined ? this.newIdentity() : this.marked(database, mark);
  }

  private marked(database: string, mark: number): Identity {
    const name = `${database}@${mark}`;
    const known = this.marks.get(name) ?? this.newIdentity();
    this.marks.set(name, known);
    return known;
  }

  private newIdentity(): Identity {
    this.count += 1;
    return `#${this.count}`;
  }

  private find(identity: Identity): Identity {
    const parent = this.parents.get(identity);
    return parent === undefined ? identity : this.find(parent);
  }

  private unify(a: Identity, b: Identity): void {
    const [left, right] = [this.find(a), this.find(b)];
    if (left === right || this.dropped.has(left) !== this.dropped.has(right)) return;
    this.parents.set(left, right);
  }
}

/** A re-creation shows by the shards that the agent knew and that are gone; of a database without any it can't be seen. */
function canBeSeen(node: SimulatedNode, database: string): boolean {
  const { entries, lineage } = node.store.state;
  const isKnown = entries.get(keyOf({ kind: 'database', path: [database] }))?.local !== undefined;
  return !isKnown || (lineage?.groups.some((group) => group.database === database) ?? false);
}

/** Between the agent's look and its statement: influxd has no conditional statements, so a user may be overtaken here. */
function isInWindow(node: SimulatedNode): boolean {
  const kind = node.store.state.note?.kind;
  return kind === 'statement' || kind === 'creates';
}

function placeOf(node: SimulatedNode, database: string): string {
  return `${node.id} ${database}`;
}
