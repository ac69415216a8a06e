// Decides whether this node has to join anew, and whether anything stands against it: managers of two stores, a setting that
// asks for a person, data of another time in influxd's shards.
import type { Logger } from '../../shared/log/logger.js';
import type { LoadedShard } from '../influxd/port.js';
import type { ManagerApi } from '../manager-api/port.js';
import type { Base } from './base.js';
import { whyBlocked, whyJoin } from './join.js';
import type { LocalState } from './observe.js';
import type { RemoteView } from './remote-view.js';
import type { View } from './view.js';
import { isWrittenByUs } from './view.js';

export interface JoinerDeps {
  readonly cluster: string;
  readonly api: Pick<ManagerApi, 'survey'>;
  readonly remoteView: RemoteView;
  readonly logger: Logger;
  readonly join: 'merge' | 'pull' | 'refuse';
  /** Looks at the local influxd once more. */
  readonly observe: (view: View) => Promise<LocalState>;
  /** The shards that influxd has loaded, or that lie on disk while it is stopped. */
  readonly shards: (view: View) => Promise<readonly LoadedShard[]>;
}

export type JoinOutcome =
  | { readonly kind: 'proceed' }
  /** What was seen is overtaken: look again from the start. */
  | { readonly kind: 'again'; readonly why: string }
  | { readonly kind: 'blocked'; readonly sentence: string };

const PROCEED: JoinOutcome = { kind: 'proceed' };

/** Begins a join where one is owed (noted in the base), and checks a join under way. */
export async function joinIfNeeded(view: View, deps: JoinerDeps): Promise<JoinOutcome> {
  const { store, local, remote } = view;
  const why = isWrittenByUs(view) ? undefined : whyJoin(store.state, local, remote);
  if (why !== undefined && !hasBegun(store.state)) {
    const doubt = await doubtIncarnation(view, deps);
    if (doubt.kind !== 'proceed') return doubt;
    deps.logger.warn('joining the cluster anew', { reason: why });
    await store.append([{ record: 'join', why }]);
  }
  const { joining } = store.state;
  if (joining === undefined) return PROCEED;
  if (store.state.tag === undefined) {
    const doubt = await doubtIncarnation(view, deps);
    if (doubt.kind !== 'proceed') return doubt;
  }
  if (deps.join === 'refuse' && remote.tag !== undefined) {
    return {
      kind: 'blocked',
      sentence: `this node would join (${joining}), and agent.join = "refuse" asks for a person: set it to "merge" or "pull"`,
    };
  }
  return checkShards(view, deps);
}

/** A join that was begun and is held up: its base is empty already. */
function hasBegun({ joining, lineage, entries }: Base): boolean {
  return joining !== undefined && lineage === undefined && entries.size === 0;
}

/** Two endpoints that name two incarnations are two clusters: nothing is changed on the word of one of them. */
async function doubtIncarnation(view: View, deps: JoinerDeps): Promise<JoinOutcome> {
  const known = view.store.state.tag;
  const seen = view.remote.tag?.incarnation;
  if (known !== undefined && known.incarnation === seen) return PROCEED;
  const survey = () => deps.api.survey(deps.cluster, view.signal);
  if ((await survey()).every(({ incarnation }) => incarnation === seen)) return PROCEED;
  // The cluster may just have come into being: asked once more, managers of one store agree.
  await deps.remoteView.refresh(view.signal);
  const answers = await survey();
  const incarnations = new Set(answers.map(({ incarnation }) => incarnation));
  if (incarnations.size === 1) return { kind: 'again', why: 'an answer from before was overtaken' };
  const each = answers.map(
    ({ endpoint, incarnation }) => `${endpoint} has ${incarnation ?? 'no such cluster'}`,
  );
  return {
    kind: 'blocked',
    sentence: `the managers do not belong together (${each.join(', ')}): nothing is changed; let agent.endpoints name managers of one store only`,
  };
}

async function checkShards(view: View, deps: JoinerDeps): Promise<JoinOutcome> {
  const first = whyBlocked(view.local, await deps.shards(view));
  if (first === undefined) return PROCEED;
  // Metadata and shards were asked for one after the other: what changed in between is seen alike by a second look.
  const shards = await deps.shards(view);
  const still = whyBlocked(await deps.observe(view), shards);
  if (still === undefined) return PROCEED;
  return { kind: 'blocked', sentence: `${still.sentence}; ${still.remedy}` };
}
