import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { headerText, sendError } from '../../../../agent/gateway/errors.js';

describe('a refusal of the gateway', () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  it('reaches any client, whatever bytes the names of his points have', async () => {
    const error = `unable to parse '\x00\x01\n\x1b\x7f\ufffdü\ud800': bad `;
    server = createServer((request, response) => {
      sendError(request, response, { status: 400, error, code: 'bad-request' });
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    expect(await answer.json()).to.deep.equal({ error });
    const header = Buffer.from(answer.headers.get('x-influxdb-error') ?? '', 'latin1').toString();
    expect(header).to.equal("unable to parse '     \ufffdü\ufffd': bad");
  });

  it('says at most 1024 bytes of itself in a header', () => {
    expect(headerText('ü'.repeat(600))).to.have.length(1024);
  });
});
