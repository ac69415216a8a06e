// A cluster of one manager with registered data nodes and a few databases, as placement sees it.
import { PEER_VERSION_KEY } from '../../../../manager/placement/members.js';
import { groupsOf } from '../../../../manager/placement/state.js';
import type { PlacementBody } from '../../../../shared/api/placement.js';
import type { PlacedGroup } from '../../../../shared/placement/model.js';
import type { SchemaObject } from '../../../../shared/meta/model.js';
import type { TestManager } from '../../../support/manager.js';
import { snapshotOf } from '../../../support/snapshots.js';

export interface Answer<T = Record<string, unknown>> {
  readonly status: number;
  readonly body: T;
  readonly headers: Readonly<Record<string, unknown>>;
}

export const never = new AbortController().signal;

export class PlacedCluster {
  constructor(readonly manager: TestManager) {}

  get view() {
    return this.manager.services.views.of('c');
  }

  async ask<T = Record<string, unknown>>(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    url: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    const answer = await this.manager.app.inject({
      method,
      url,
      headers,
      ...(body === undefined ? {} : { payload: body }),
    });
    const json: unknown = answer.payload === '' ? {} : answer.json();
    return { status: answer.statusCode, body: json as T, headers: answer.headers };
  }

  /** Registers a data node; resolves to its id. */
  async register(uid: string, versions: Record<string, string> = { [PEER_VERSION_KEY]: '1' }) {
    const session = `session of ${uid}`;
    const { body } = await this.ask<{ id: number }>('POST', '/nodes/c', {
      uid,
      session,
      'previous-session': session,
      versions,
    });
    return body.id;
  }

  async write(...objects: SchemaObject[]): Promise<void> {
    const newest = await this.view.feed.newest();
    const outcome = await this.manager.services.publisher.write(
      this.view,
      {
        seenVersion: newest?.tag.version ?? 0,
        ifMatch: undefined,
        bytes: snapshotOf(...objects),
        idempotencyKey: undefined,
        author: { node: 1 },
      },
      never,
    );
    if (outcome.kind !== 'accepted') throw new Error(`the metadata was not taken: ${outcome.kind}`);
  }

  want(time: string, database = 'db', policy = 'autogen'): Promise<Answer<PlacementBody>> {
    return this.ask('POST', '/clusters/c/placement/groups', [{ database, policy, time }]);
  }

  post(what: string, body: object): Promise<Answer<PlacementBody>> {
    return this.ask('POST', `/clusters/c/placement/${what}`, body);
  }

  async groups(): Promise<PlacedGroup[]> {
    return [...groupsOf((await this.view.placement.load()).state)];
  }

  async members(): Promise<readonly number[]> {
    return (await this.view.placement.load()).state.members;
  }

  upkeep(): Promise<void> {
    return this.manager.services.placements.upkeep.run(this.view, never);
  }
}
