// One batch to all owners of its shard: waits for the level, and until every other owner has it or a hint for it is on disk
// here. It decides nothing about the answer to the client; that is made of what it returns.
import type { Clock } from '../../../shared/lifecycle/clock.js';
import type { PlacedGroup, PlacedShard } from '../../../shared/placement/model.js';
import type { NodeDirectory } from '../placement/port.js';
import type { Deliveries, DeliveryOptions, Parcel } from './delivery.js';
import type { Level } from './level.js';
import type { OwnerResult, Running } from './level-wait.js';
import { LevelWait } from './level-wait.js';
import type { Again, OwnerState } from './owner-state.js';
import type { ShapeMemory } from './shapes.js';
import { siftRefused } from './sift.js';

export interface FanOutDeps {
  readonly deliveries: Pick<Deliveries, 'begin' | 'send' | 'isDirect'>;
  readonly directory: Pick<NodeDirectory, 'node'>;
  readonly shapes: ShapeMemory;
  readonly clock: Pick<Clock, 'sleep'>;
}

/** A batch with the shard that it belongs to. */
export interface Routed extends Parcel {
  readonly group: PlacedGroup;
  readonly shard: PlacedShard;
}

export interface FanOutOptions extends Omit<DeliveryOptions, 'unneeded'> {
  readonly level: Level;
}

export interface FanOutResult {
  readonly owners: readonly OwnerResult[];
  readonly isLevelReached: boolean;
  /** What the first owner refused, where nothing of it was sent to the others. */
  readonly refused: { readonly text: string; readonly dropped: number } | undefined;
  /** An owner knows better: the points have to be routed and sent anew. */
  readonly again: Again | undefined;
  /** When the last direct request has ended; the batch is in memory until then. Never rejects. */
  readonly released: Promise<unknown>;
}

/** What the owner that is asked first may take. New shapes are rare, and to ask another one costs the order of types. */
const FIRST_WITHIN_MS = 2_000;

export class FanOut {
  constructor(private readonly deps: FanOutDeps) {}

  /** Never rejects. */
  async deliver(routed: Routed, options: FanOutOptions): Promise<FanOutResult> {
    const { shard, lines, head } = routed;
    const unseen = this.deps.shapes.unseen(shard.id, head.deletes, lines.shapes());
    // Where nobody else has to agree, nobody has to be asked first.
    if (unseen.size === 0 || shard.owners.length === 1) return this.send(routed, [], options);
    const { running, judged } = await this.askFirst(routed, options);
    if (judged?.state.kind === 'again') return fromState(judged, judged.state);
    if (judged?.state.kind !== 'refused') return this.send(routed, running, options);

    const { text, dropped } = judged.state;
    const taken = await siftRefused(lines, unseen, dropped, (part) =>
      this.deps.deliveries.send(judged.node, { head, lines: part }, options.signal),
    );
    if (taken.count === 0) return nothingLeft(shard, judged.state);
    // The order within the batch counts: what is good goes once more to the first as well.
    const result = await this.send({ ...routed, lines: taken }, [], options);
    return { ...result, refused: { text, dropped } };
  }

  /** To all owners that have not been asked yet. */
  private async send(
    { shard, head, lines }: Routed,
    running: readonly Running[],
    options: FanOutOptions,
  ): Promise<FanOutResult> {
    const { level, signal } = options;
    const wait = new LevelWait(level, shard.owners.length, { clock: this.deps.clock, signal });
    const asked = new Set(running.map(({ node }) => node));
    const { unneeded } = wait;
    const others = shard.owners
      .filter(({ node }) => !asked.has(node))
      .map(({ node }) => this.start(node, { head, lines }, { ...options, unneeded }));
    const all = [...running, ...others];
    await wait.follow(all);
    await wait.over;
    const owners = wait.results;
    const result: FanOutResult = {
      owners,
      isLevelReached: wait.isReached,
      refused: undefined,
      again: combined(owners),
      released: Promise.all(all.map(({ delivery }) => delivery.ended)),
    };
    if (result.owners.some(({ state }) => state.kind === 'applied')) {
      this.deps.shapes.learn(shard.id, head.deletes, lines.shapes());
    }
    return result;
  }

  /**
   * Asks the owners one by one until one of them has judged the batch: all gateways begin with the same one, so that two
   * types of one field are met in one order. `running` has those that took it, or got a hint for it.
   */
  private async askFirst(
    { shard, head, lines }: Routed,
    options: FanOutOptions,
  ): Promise<{ readonly running: readonly Running[]; readonly judged?: OwnerResult }> {
    const running: Running[] = [];
    const hintAfterMs = Math.max(options.hintAfterMs, FIRST_WITHIN_MS);
    for (const node of this.inOrder(shard)) {
      if (!this.deps.deliveries.isDirect(node)) continue;
      const first = this.start(node, { head, lines }, { ...options, hintAfterMs, unneeded: NOW });
      const state = await first.delivery.secured;
      if (state.kind === 'refused' || state.kind === 'again')
        return { running, judged: { node, state } };
      running.push(first);
      if (state.kind === 'applied') return { running, judged: { node, state } };
    }
    return { running };
  }

  /** As the group has them, those that the registry calls alive first. */
  private inOrder({ owners }: PlacedShard): number[] {
    const nodes = owners.map(({ node }) => node);
    const isAlive = (node: number) => this.deps.directory.node(node)?.isAlive === true;
    return [...nodes.filter(isAlive), ...nodes.filter((node) => !isAlive(node))];
  }

  private start(node: number, parcel: Parcel, options: DeliveryOptions): Running {
    return { node, delivery: this.deps.deliveries.begin(node, parcel, options) };
  }
}

/** Whether it is needed for the level is not known before it is asked: it gets its hint in its time. */
const NOW = Promise.resolve();

/** What the owners that know better know together. */
function combined(owners: readonly OwnerResult[]): Again | undefined {
  let all: Again | undefined;
  for (const { state } of owners) {
    if (state.kind !== 'again') continue;
    all = {
      kind: 'again',
      placementVersion: Math.max(all?.placementVersion ?? 0, state.placementVersion),
      metadataVersion: Math.max(all?.metadataVersion ?? 0, state.metadataVersion),
      deletes: Math.max(all?.deletes ?? 0, state.deletes),
    };
  }
  return all;
}

function fromState(owner: OwnerResult, again: Again): FanOutResult {
  const released = Promise.resolve();
  return { owners: [owner], isLevelReached: false, refused: undefined, again, released };
}

/** The first owner refused every line: no owner has anything of it, and none is going to. */
function nothingLeft(
  { owners }: PlacedShard,
  state: Extract<OwnerState, { kind: 'refused' }>,
): FanOutResult {
  return {
    owners: owners.map(({ node }) => ({ node, state })),
    isLevelReached: true,
    refused: { text: state.text, dropped: state.dropped },
    again: undefined,
    released: Promise.resolve(),
  };
}
