// Signals of the process, on a stand-in for the process.
import { expect } from 'chai';
import { EventEmitter } from 'node:events';
import { watchProcess } from '../../../shared/lifecycle/process-signals.js';
import { memoryLogger } from '../../../shared/log/logger.js';

class FakeProcess extends EventEmitter {
  readonly exits: number[] = [];
  exit(code: number): void {
    this.exits.push(code);
  }
}

describe('watchProcess', () => {
  let host: FakeProcess;
  beforeEach(() => {
    host = new FakeProcess();
  });

  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    it(`aborts at the first ${name} and exits with 1 at the second signal`, () => {
      const watched = watchProcess(host, memoryLogger());
      expect(watched.signal.aborted).to.equal(false);
      host.emit(name);
      expect(watched.signal.aborted).to.equal(true);
      expect(watched.received).to.equal(name);
      expect(host.exits).to.deep.equal([]);
      host.emit('SIGTERM');
      expect(host.exits).to.deep.equal([1]);
    });
  }

  for (const event of ['uncaughtException', 'unhandledRejection']) {
    it(`logs an ${event} and exits with 1`, () => {
      const logger = memoryLogger();
      watchProcess(host, logger);
      host.emit(event, new Error('boom'));
      expect(host.exits).to.deep.equal([1]);
      expect(logger.lines[0]?.fields).to.have.property('err').that.has.property('message', 'boom');
    });
  }

  it('takes its listeners off again', () => {
    watchProcess(host, memoryLogger()).dispose();
    expect(host.eventNames()).to.deep.equal([]);
  });
});
