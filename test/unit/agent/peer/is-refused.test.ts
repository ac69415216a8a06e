import { expect } from 'chai';
import { isRefusedConnection } from '../../../../agent/peer/is-refused.js';
import { AppError } from '../../../../shared/errors/app-error.js';

const refused = () => Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
const reset = () => Object.assign(new Error('read'), { code: 'ECONNRESET' });
const unreachable = (cause: unknown) => new AppError('peer-unreachable', 'no answer', { cause });

describe('that an agent is not at its address', () => {
  for (const [what, error, isProven] of [
    ['a refused connection', unreachable(refused()), true],
    [
      'all addresses of a name refuse',
      unreachable(new AggregateError([refused(), refused()])),
      true,
    ],
    ['another node answers there', new AppError('peer-mismatch', 'another node'), true],
    ['one address of a name is silent', new AggregateError([refused(), reset()]), false],
    ['a connection that breaks', unreachable(reset()), false],
    ['no answer in time', unreachable(undefined), false],
    ['a signature that is not taken', new AppError('unauthorized', 'no'), false],
  ] as const) {
    it(`is ${isProven ? '' : 'not '}proven by ${what}`, () => {
      expect(isRefusedConnection(error)).to.equal(isProven);
    });
  }
});
