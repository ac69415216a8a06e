// The probe learns from the status alone whether influxd asks, and forgets nothing when it does not answer.
import { expect } from 'chai';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AuthProbe } from '../../../../../agent/gateway/auth/auth-probe.js';
import { fakeClock } from '../../../../../shared/lifecycle/clock.js';
import { silentLogger } from '../../../../../shared/log/logger.js';
import { eventually } from '../../../../support/eventually.js';

describe('the probe of the authentication of influxd', () => {
  let server: Server;
  let answer: [status: number, body: string];
  let asked: (string | undefined)[];
  let probe: AuthProbe;
  const clock = fakeClock();
  const { signal } = new AbortController();
  beforeEach(async () => {
    asked = [];
    server = createServer((request, response) => {
      asked.push(request.url, request.headers.authorization);
      response.writeHead(answer[0]).end(answer[1]);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    probe = new AuthProbe({ url: `http://127.0.0.1:${port}`, clock, logger: silentLogger() });
  });
  afterEach(async () => {
    await probe.stop();
    server.closeAllConnections();
    server.close();
  });

  const known = () => [probe.asks, probe.hasAdmin];
  const after = async (status: number, body = '{}') => {
    answer = [status, body];
    await probe.look(signal);
    return known();
  };

  it('reads the three answers of influxd, and sends no credentials', async () => {
    expect(known()).to.deep.equal([undefined, undefined]);
    expect(await after(200)).to.deep.equal([false, undefined]);
    expect(await after(401)).to.deep.equal([true, true]);
    const first = '{"error":"error authorizing query: create admin user first or disable"}';
    expect(await after(403, first)).to.deep.equal([true, false]);
    expect(asked.slice(0, 2)).to.deep.equal(['/query?q=SHOW+DATABASES', undefined]);
  });

  it('learns nothing of any other answer, or of none', async () => {
    await after(401);
    expect(await after(503)).to.deep.equal([true, true]);
    expect(await after(403, '{"error":"a proxy"}')).to.deep.equal([true, true]);
    server.closeAllConnections();
    server.close();
    expect(await after(200)).to.deep.equal([true, true]);
  });

  it('looks again soon until it knows, and then now and then', async () => {
    answer = [503, ''];
    const stop = new AbortController();
    const running = probe.start(stop.signal);
    const looks = (count: number) => eventually(() => asked.length / 2 === count);
    await looks(1);
    await eventually(() => clock.sleepers === 1);
    answer = [200, '{}'];
    await clock.advance(1_000);
    await looks(2);
    await eventually(() => probe.asks === false && clock.sleepers === 1);
    await clock.advance(1_000);
    expect(asked.length / 2).to.equal(2);
    answer = [401, '{}'];
    await clock.advance(60_000);
    await eventually(() => probe.asks === true);
    stop.abort();
    await running;
  });
});
