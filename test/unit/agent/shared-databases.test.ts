// Globs over database names, which may hold anything.
import { expect } from 'chai';
import { sharedDatabases } from '../../../agent/shared-databases.js';

describe('the choice of shared databases', () => {
  const cases: [include: string[], exclude: string[], name: string, isShared: boolean][] = [
    [['*'], [], 'anything at all', true],
    [['*'], [], 'with\nnewline', true],
    [[], [], 'nothing is included', false],
    [['telegraf'], [], 'telegraf', true],
    [['telegraf'], [], 'telegraf2', false],
    [['tele*'], ['*_test'], 'telegraf', true],
    [['tele*'], ['*_test'], 'telegraf_test', false],
    [['a.c'], [], 'abc', false],
    [['a?c'], [], 'a😀c', true],
    [['a?c'], [], 'ac', false],
    [['(x)[y]+^$|\\{}'], [], '(x)[y]+^$|\\{}', true],
    [['a-b/c'], [], 'a-b/c', true],
  ];
  for (const [include, exclude, name, isShared] of cases) {
    it(`${isShared ? 'takes' : 'leaves'} ${JSON.stringify(name)} with ${include.join()} without ${exclude.join()}`, () => {
      expect(sharedDatabases({ include, exclude })(name)).to.equal(isShared);
    });
  }
});
