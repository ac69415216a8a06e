// The log: both forms, levels, errors, and that nothing is lost at the end.
import { expect } from 'chai';
import { Writable } from 'node:stream';
import { AppError } from '../../../shared/errors/app-error.js';
import { createLogger, memoryLogger, type LoggerOptions } from '../../../shared/log/logger.js';

class Sink extends Writable {
  text = '';
  constructor(readonly isTTY?: boolean) {
    super();
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    // Later than the call, as a pipe may be.
    setImmediate(() => {
      this.text += chunk.toString();
      done();
    });
  }
  get lines(): string[] {
    return this.text.split('\n').filter((line) => line !== '');
  }
}

describe('createLogger', () => {
  const make = (sink: Sink, options: Partial<LoggerOptions> = {}) =>
    createLogger({
      level: 'info',
      format: 'json',
      service: 'agent',
      build: '1.0',
      stream: sink,
      ...options,
    });

  it('writes JSON with time, level, message and fields, and has written all when flush resolves', async () => {
    const sink = new Sink();
    const logger = make(sink);
    for (let i = 0; i < 100; i += 1) logger.info('snapshot pushed', { node: i });
    await logger.flush();
    expect(sink.lines).to.have.length(100);
    const last = JSON.parse(sink.lines[99] ?? '') as Record<string, unknown>;
    expect(last).to.deep.include({
      level: 'info',
      msg: 'snapshot pushed',
      service: 'agent',
      build: '1.0',
      node: 99,
    });
    expect(last['ts']).to.match(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  it('leaves out what is below its level', async () => {
    const sink = new Sink();
    const logger = make(sink, { level: 'warn' });
    logger.debug('a');
    logger.info('b');
    logger.warn('c');
    logger.error('d');
    await logger.flush();
    expect(sink.lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).to.deep.equal([
      'c',
      'd',
    ]);
  });

  it('takes fields that winston gives a meaning as plain fields', async () => {
    const sink = new Sink();
    const logger = make(sink);
    logger.info('constant', { message: 'other', level: 'error', splat: 1, big: 5n });
    await logger.flush();
    const line = JSON.parse(sink.lines[0] ?? '') as Record<string, unknown>;
    expect(line).to.deep.include({ msg: 'constant', message: 'other', splat: 1, big: '5' });
  });

  it('renders an error by its code and sentence, and its stack at debug only', async () => {
    const err = new AppError('store-unavailable', 'etcd is away', { cause: new Error('refused') });
    const quiet = new Sink();
    const loud = new Sink();
    for (const [sink, level] of [
      [quiet, 'info'],
      [loud, 'debug'],
    ] as const) {
      const logger = make(sink, { level });
      logger.error('reading failed', { err });
      await logger.flush();
    }
    const line = JSON.parse(quiet.text) as Record<string, unknown>;
    expect(line).to.deep.include({
      'err.code': 'store-unavailable',
      'err.message': 'etcd is away',
    });
    expect(line).not.to.have.property('err.stack');
    expect((JSON.parse(loud.text) as Record<string, unknown>)['err.stack']).to.match(
      /etcd is away[^]*caused by Error: refused/,
    );
  });

  it('adds the fields of its children, and lets a line override them', async () => {
    const sink = new Sink();
    const logger = make(sink);
    logger.child({ component: 'sync', node: 1 }).child({ cluster: 'a' }).info('tick', { node: 2 });
    await logger.flush();
    expect(JSON.parse(sink.text)).to.deep.include({ component: 'sync', cluster: 'a', node: 2 });
  });

  it('writes text for a terminal, JSON elsewhere', async () => {
    const terminal = new Sink(true);
    const pipe = new Sink(false);
    for (const sink of [terminal, pipe]) {
      const logger = make(sink, { format: 'auto' });
      logger.warn('no answer', { url: 'http://a:1', detail: 'two words', list: [1] });
      await logger.flush();
    }
    expect(terminal.lines[0]).to.match(
      /^\S+Z WARN {2}no answer url=http:\/\/a:1 detail="two words" list=\[1\]$/,
    );
    expect(JSON.parse(pipe.text)).to.deep.include({ msg: 'no answer', list: [1] });
  });

  it('does not fail on a value that cannot be printed', async () => {
    const sink = new Sink();
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    const logger = make(sink);
    logger.info('odd', { circular });
    logger.info('next');
    await logger.flush();
    expect(sink.lines).to.have.length(2);
  });
});

describe('memoryLogger', () => {
  it('keeps what children log, too', () => {
    const logger = memoryLogger();
    logger.child({ a: 1 }).warn('x', { b: 2 });
    expect(
      logger.lines.map(({ level, message, fields }) => ({ level, message, fields })),
    ).to.deep.equal([{ level: 'warn', message: 'x', fields: { a: 1, b: 2 } }]);
  });
});
