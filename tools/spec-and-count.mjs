// mocha's spec reporter that also writes its counts into a file, so that tools/run-tests.mjs can sum them over suites.
import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

// mocha takes a reporter's default export and no other.
// eslint-disable-next-line no-restricted-syntax
export default class SpecAndCount extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once('end', () => {
      const { passes, failures } = this.stats;
      writeFileSync(process.env.TEST_COUNTS_FILE, JSON.stringify({ passes, failures }));
    });
  }
}
