// The streams to etcd with a server that does what a real one does too seldom for a test: compact a watcher away, fall behind.
import { EventEmitter } from 'node:events';
import type { ILeaseKeepAliveRequest, IWatchRequest, IWatchResponse } from 'etcd3';
import { expect } from 'chai';
import { LeaseStream } from '../../../../../manager/store/etcd/lease-stream.js';
import { WatchStream } from '../../../../../manager/store/etcd/watch-stream.js';
import type { WatchEvent } from '../../../../../manager/store/port.js';
import { eventually } from '../../../../support/eventually.js';

/** The client's end of a stream: keeps what is written, and says what the test wants it to say. */
class FakeStream<Request> extends EventEmitter {
  readonly written: Request[] = [];
  isCancelled = false;

  write(request: Request): void {
    this.written.push(request);
  }

  end(): void {
    this.emit('end');
  }

  cancel(): void {
    this.isCancelled = true;
  }
}

class FakeClient<Request> {
  readonly stream = new FakeStream<Request>();
  isClosed = false;
  readonly watchClient = { watch: async () => this.stream };
  readonly leaseClient = { leaseKeepAlive: async () => this.stream };

  close(): void {
    this.isClosed = true;
  }
}

function response(fields: Partial<IWatchResponse> & { revision?: number } = {}): IWatchResponse {
  return {
    header: {
      cluster_id: '1',
      member_id: '1',
      raft_term: '1',
      revision: String(fields.revision ?? 1),
    },
    watch_id: '1',
    created: false,
    canceled: false,
    compact_revision: '0',
    cancel_reason: '',
    fragment: false,
    events: [],
    ...fields,
  };
}

describe('a watch stream', () => {
  const open = async (
    options: { checkMs?: number; silentMs?: number; revision?: () => number } = {},
  ) => {
    const client = new FakeClient<IWatchRequest>();
    const stream = await WatchStream.open({
      client,
      currentRevision: async () => (options.revision ?? (() => 1))(),
      checkMs: options.checkMs ?? 60_000,
      silentMs: options.silentMs ?? 60_000,
    });
    const events: WatchEvent[] = [];
    const created: string[] = [];
    const remove = stream.add({
      prefix: '/a/',
      onCreated: () => created.push('/a/'),
      onEvent: (event) => events.push(event),
    });
    const say = (fields: Parameters<typeof response>[0]): void => {
      client.stream.emit('data', response(fields));
    };
    return { client, stream, events, created, remove, say };
  };

  it('asks for the range of the prefix, and tells when the server watches', async () => {
    const { client, stream, created, say } = await open();
    expect(client.stream.written).to.deep.equal([
      { create_request: { key: Buffer.from('/a/'), range_end: Buffer.from('/a0'), watch_id: '1' } },
    ]);
    say({ created: true });
    expect(created).to.deep.equal(['/a/']);
    stream.end('test');
    expect([client.isClosed, client.stream.isCancelled]).to.deep.equal([true, true]);
  });

  it('ends with the reason where the server cancels a watch, because its revision is compacted', async () => {
    const { stream, say } = await open();
    say({ created: true });
    say({ canceled: true, compact_revision: '17' });
    expect(await stream.ended).to.equal('etcd compacted its history up to revision 17');
  });

  it('ends where the server can not create a watch', async () => {
    const { stream, created, say } = await open();
    say({ watch_id: '-1', created: true, canceled: true, cancel_reason: 'permission denied' });
    expect(await stream.ended).to.equal('permission denied');
    expect(created).to.deep.equal([]);
  });

  it('goes on where the server confirms a cancellation of ours', async () => {
    const { client, stream, remove, say } = await open();
    say({ created: true });
    remove();
    say({ canceled: true });
    expect(client.stream.written.at(-1)).to.deep.equal({ cancel_request: { watch_id: '1' } });
    expect(client.isClosed).to.equal(false);
    stream.end('test');
    expect(await stream.ended).to.equal('test');
  });

  it('ends where nothing is heard', async () => {
    const { client, stream } = await open({ checkMs: 5, silentMs: 40 });
    expect(await stream.ended).to.equal('nothing was heard for 40 ms');
    expect(client.stream.written).to.deep.include({ progress_request: {} });
  });

  it('ends where the server answers but does not get to where the store is', async () => {
    const { client, stream, say } = await open({ checkMs: 5, silentMs: 60, revision: () => 9 });
    const answering = setInterval(() => {
      say({ watch_id: '-1', revision: 8 });
    }, 5);
    expect(await stream.ended).to.equal('the member did not reach revision 9 within 60 ms');
    clearInterval(answering);
    expect(client.isClosed).to.equal(true);
  });

  it('lives on where the server keeps up, however the store moves', async () => {
    let revision = 1;
    const { client, stream, say } = await open({
      checkMs: 5,
      silentMs: 250, // several times what a busy machine makes a timer wait
      revision: () => revision,
    });
    const answering = setInterval(() => {
      revision += 1;
      say({ watch_id: '-1', revision });
    }, 5);
    await eventually(() => revision > 100);
    clearInterval(answering);
    expect(client.isClosed).to.equal(false);
    stream.end('test');
  });

  it('ends where the connection breaks', async () => {
    const { client, stream } = await open();
    client.stream.emit('error', new Error('14 UNAVAILABLE: gone'));
    expect(await stream.ended).to.equal('14 UNAVAILABLE: gone');
    const second = await open();
    second.client.stream.end();
    expect(await second.stream.ended).to.equal('etcd ended the stream');
  });
});

describe('a lease stream', () => {
  const open = async () => {
    const client = new FakeClient<ILeaseKeepAliveRequest>();
    let ends = 0;
    const stream = await LeaseStream.open(client, () => (ends += 1));
    const answer = (ID: string, TTL: string): void => {
      client.stream.emit('data', { ID, TTL });
    };
    return { client, stream, answer, ends: () => ends };
  };
  const soon = (): number => Date.now() + 5_000;

  it('gives each answer to who asked for that lease, in order', async () => {
    const { stream, answer } = await open();
    const asked = [stream.renew('1', soon()), stream.renew('2', soon()), stream.renew('1', soon())];
    answer('1', '10');
    answer('2', '0');
    answer('1', '0');
    expect(await Promise.all(asked)).to.deep.equal([true, false, false]);
    stream.close();
  });

  it('fails everything that waits when one answer is overdue, and is closed', async () => {
    const { client, stream, ends } = await open();
    const asked = await Promise.allSettled([
      stream.renew('1', Date.now() + 20),
      stream.renew('2', soon()),
    ]);
    expect(asked.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected']);
    expect([client.isClosed, client.stream.isCancelled, ends()]).to.deep.equal([true, true, 1]);
    const late = await stream.renew('3', soon()).catch((error: unknown) => String(error));
    expect(late).to.match(/did not answer the renewal/);
  });

  it('says its end once, whatever comes after', async () => {
    const { client, stream, answer, ends } = await open();
    client.stream.emit('error', new Error('gone'));
    client.stream.end();
    answer('1', '10');
    stream.close();
    expect(ends()).to.equal(1);
  });
});
