// Whether an owner may still hold a batch that it gave no word on.
import { expect } from 'chai';
import { judge } from '../../../../../agent/gateway/owner/influxd-verdict.js';
import { PeerOwners } from '../../../../../agent/gateway/owner/peers.js';
import {
  applyOutcomeFromWire,
  applyOutcomeToWire,
} from '../../../../../agent/gateway/owner/wire.js';
import { unreachable } from '../../../../../agent/peer/peer-errors.js';
import { batchOf } from '../../../../support/gateway/local-owner.js';
import { directoryWith } from '../../../../support/gateway/query-fakes.js';

const NEVER = new AbortController().signal;

describe('an owner that gave no word on a batch', () => {
  /** What is made of a call to its agent that ends so. */
  async function after(cause: unknown, deadlineMs?: number) {
    const fail = () => Promise.reject(unreachable('asking', deadlineMs, cause));
    const client = { call: fail, open: fail };
    const owners = new PeerOwners({ directory: directoryWith(1, [1, 2]), client });
    return owners.send(2, batchOf('m v=1 1'), NEVER);
  }
  const broken = (code: string, syscall: string) =>
    Object.assign(new Error(code), { code, syscall });

  it('may hold it where it was silent, or the connection broke', async () => {
    expect(await after(new Error('aborted'), 30_000)).to.have.property('isHeld', true);
    expect(await after(broken('ECONNRESET', 'read'))).to.have.property('isHeld', true);
  });

  it('does not where nothing was sent', async () => {
    expect(await after(broken('ECONNREFUSED', 'connect'))).not.to.have.property('isHeld');
    expect(await after(broken('ENOTFOUND', 'getaddrinfo'))).not.to.have.property('isHeld');
  });

  it('holds what its influxd gave up by its own timeout, and only that', () => {
    expect(judge(500, '{"error":"timeout"}', 1)).to.have.property('isHeld', true);
    expect(judge(500, '{"error":"engine is closed"}', 1)).not.to.have.property('isHeld');
  });

  it('says so to peers', () => {
    for (const isHeld of [{ isHeld: true }, {}]) {
      const outcome = { kind: 'failed', why: 'w', ...isHeld } as const;
      const wire = Buffer.from(JSON.stringify(applyOutcomeToWire(outcome)));
      expect(applyOutcomeFromWire(wire)).to.deep.equal(outcome);
    }
  });
});
