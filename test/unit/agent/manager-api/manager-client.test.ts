// The way of one call: retries, endpoints in turn, deadlines, and an abort that ends it at once.
import { expect } from 'chai';
import type { ManagerCall } from '../../../../agent/manager-api/call-attempts.js';
import { ATTEMPTS } from '../../../../agent/manager-api/call-attempts.js';
import { NO_CREDENTIALS } from '../../../../agent/manager-api/credentials.js';
import { ManagerClient } from '../../../../agent/manager-api/manager-client.js';
import { eventually } from '../../../support/eventually.js';
import { errorOf } from './errors.js';
import type { Asked, ScriptedServer } from './scripted-server.js';
import { deadUrl, json, problem, startScriptedServer } from './scripted-server.js';

const GET: ManagerCall = { method: 'GET', path: '/x', deadlineMs: 5_000 };

describe('a call to the managers', () => {
  let a: ScriptedServer;
  let b: ScriptedServer;
  const clients: ManagerClient[] = [];

  /** Pauses between attempts are a tenth of the largest. */
  function clientOf(...endpoints: string[]): ManagerClient {
    const client = new ManagerClient({ endpoints, random: () => 0.1 });
    clients.push(client);
    return client;
  }

  beforeEach(async () => {
    [a, b] = await Promise.all([startScriptedServer(), startScriptedServer()]);
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await Promise.all([a.stop(), b.stop()]);
  });

  it('takes 404 and 409 as answers', async () => {
    for (const status of [404, 409, 400, 301]) {
      a.answer = () => problem(status, 'x');
      expect(await clientOf(a.url).call(GET)).to.include({ status, endpoint: a.url });
    }
    expect(a.asked).to.have.length(4);
  });

  it('tries five times and then says why in one sentence', async () => {
    a.answer = () => problem(503, 'store-unavailable');
    const error = await errorOf(clientOf(a.url).call(GET));
    expect(error).to.include({ code: 'manager-unreachable', retryable: true });
    expect(error.message)
      .to.include(a.url)
      .and.include('5 attempts')
      .and.include('sentence about store-unavailable')
      .and.include('agent.endpoints');
    expect(a.asked).to.have.length(ATTEMPTS);
  });

  it('goes on after a lost answer and after a 5xx', async () => {
    const script = ['reset', problem(500, 'internal'), problem(429, 'rate-limited')] as const;
    a.answer = () => script[a.asked.length - 1] ?? json(200, {});
    expect(await clientOf(a.url).call({ ...GET, method: 'PUT', body: { n: 1 } })).to.include({
      status: 200,
    });
    expect(a.asked.map(({ body }) => body.toString())).to.deep.equal(Array(4).fill('{"n":1}'));
  });

  it('moves from a refused connection to the next endpoint at once, and stays there', async () => {
    const client = new ManagerClient({
      endpoints: [await deadUrl(), a.url],
      // A pause would be as long as it can be.
      random: () => 0.999,
    });
    clients.push(client);
    const began = performance.now();
    expect(await client.call(GET)).to.include({ endpoint: a.url });
    expect(await client.call(GET)).to.include({ endpoint: a.url });
    expect(performance.now() - began).to.be.lessThan(90);
  });

  it('names all endpoints when none answers', async () => {
    const [one, two] = [await deadUrl(), await deadUrl()];
    const error = await errorOf(clientOf(one, two).call(GET));
    expect(error.message).to.include(one).and.include(two).and.include('ECONNREFUSED');
  });

  it('asks another endpoint each time where it is asked to', async () => {
    const client = clientOf(a.url, b.url);
    for (let i = 0; i < 4; i++) await client.call({ ...GET, inTurn: true });
    expect([a.asked.length, b.asked.length]).to.deep.equal([2, 2]);
  });

  it('repeats a POST only with an idempotency key', async () => {
    a.answer = () => 'reset';
    const client = clientOf(a.url);
    await errorOf(client.call({ ...GET, method: 'POST', body: {} }));
    expect(a.asked).to.have.length(1);
    const headers = { 'idempotency-key': 'k' };
    await errorOf(client.call({ ...GET, method: 'POST', body: {}, headers }));
    expect(a.asked).to.have.length(1 + ATTEMPTS);
  });

  it('gives up an attempt at its deadline and goes on elsewhere', async () => {
    a.answer = () => 'hang';
    const answer = await clientOf(a.url, b.url).call({ ...GET, deadlineMs: 50 });
    expect(answer.endpoint).to.equal(b.url);
    await eventually(() => a.hanging === 0);
  });

  it('ends within milliseconds of an abort, waiting for an answer or between attempts', async () => {
    a.answer = () => 'hang';
    const stop = new AbortController();
    const waiting = errorOf(clientOf(a.url).call({ ...GET, signal: stop.signal }));
    await eventually(() => a.hanging === 1);
    stop.abort();
    expect(await waiting).to.have.property('code', 'aborted');
    await eventually(() => a.hanging === 0, { what: 'the connection to be closed' });
    expect(await errorOf(clientOf(a.url).call({ ...GET, signal: stop.signal }))).to.have.property(
      'code',
      'aborted',
    );
    const slow = new ManagerClient({ endpoints: [await deadUrl()], random: () => 0.999 });
    const pausing = new AbortController();
    const began = performance.now();
    const paused = errorOf(slow.call({ ...GET, signal: pausing.signal }));
    setTimeout(() => {
      pausing.abort();
    }, 20);
    expect(await paused).to.have.property('code', 'aborted');
    expect(performance.now() - began).to.be.lessThan(90);
  });

  it('ends a long poll as soon as another call finds its manager silent', async () => {
    a.answer = ({ url }) => (url === '/poll' ? 'hang' : 'reset');
    b.answer = () => json(200, {});
    const client = clientOf(a.url, b.url);
    const poll = client.call({ ...GET, path: '/poll', deadlineMs: 60_000, isLongPoll: true });
    await eventually(() => a.hanging === 1);
    expect(await client.call(GET)).to.have.property('endpoint', b.url);
    expect(await poll).to.have.property('endpoint', b.url);
  });

  it('leaves a long poll alone when the manager merely had no store', async () => {
    a.answer = ({ url }) => (url === '/poll' ? 'hang' : problem(503, 'store-unavailable'));
    const client = clientOf(a.url);
    const stop = new AbortController();
    const { signal } = stop;
    const poll = errorOf(
      client.call({ ...GET, path: '/poll', deadlineMs: 60_000, isLongPoll: true, signal }),
    );
    await eventually(() => a.hanging === 1);
    await errorOf(client.call(GET));
    expect(a.hanging).to.equal(1);
    stop.abort();
    await poll;
  });

  it('follows no redirect and sends the token', async () => {
    a.answer = () => ({ status: 302, headers: { location: `${b.url}/y` } });
    const client = withToken(() => 'secret', `${a.url}/`);
    expect(await client.call(GET)).to.have.property('status', 302);
    expect(a.asked[0]).to.have.property('url', '/x');
    expect(a.asked[0]?.headers.authorization).to.equal('Bearer secret');
    expect(b.asked).to.have.length(0);
  });

  /** A client with a token and without certificates. */
  function withToken(token: () => string, ...endpoints: string[]): ManagerClient {
    const credentials = {
      current: () => Promise.resolve({ ...NO_CREDENTIALS, token: token() }),
      refused: () => undefined,
    };
    const client = new ManagerClient({ endpoints, credentials });
    clients.push(client);
    return client;
  }

  it('does not show a refused token again and again, but another one, or at another manager, at once', async () => {
    let token = 'old';
    const judge = (known: string) => (asked: Asked) =>
      asked.headers.authorization === `Bearer ${known}`
        ? json(200, {})
        : problem(401, 'unauthorized');
    a.answer = judge('new');
    b.answer = judge('old');
    const alone = withToken(() => token, a.url);
    for (let i = 0; i < 5; i++) expect(await alone.call(GET)).to.have.property('status', 401);
    expect(a.asked).to.have.length(1);
    token = 'new';
    expect(await alone.call(GET)).to.have.property('status', 200);
    token = 'old';
    const both = withToken(() => token, a.url, b.url);
    expect(await both.call(GET)).to.have.property('status', 401);
    expect(await both.call(GET)).to.have.property('status', 200);
  });

  it('sends its session once there is one', async () => {
    const client = clientOf(a.url);
    await client.call(GET);
    client.session = 's-1';
    await client.call(GET);
    expect(a.asked.map(({ headers }) => headers['x-clusterflux-session'])).to.deep.equal([
      undefined,
      's-1',
    ]);
  });
});
