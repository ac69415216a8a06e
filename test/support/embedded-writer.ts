// A process that writes to an embedded store without end, for tests that kill it. It says `n` on stdout when key n is acknowledged.
// Arguments: the directory, and the first n.
import { openEmbeddedStore } from '../../manager/store/embedded/embedded-store.js';
import { silentLogger } from '../../shared/log/logger.js';

const [directory = '', first = '0'] = process.argv.slice(2);

/** Some at once, so that groups of commits are killed too. */
const WRITERS = 4;

/** Small, so that new generations and snapshots are begun all the time. */
const MAX_LOG_BYTES = 20_000;

const store = await openEmbeddedStore({
  directory,
  logger: silentLogger(),
  maxLogBytes: MAX_LOG_BYTES,
});
process.stdout.write('open\n');

let next = Number(first);
async function write(): Promise<never> {
  for (;;) {
    const n = next;
    next += 1;
    const value = Buffer.alloc(50 + (n % 500), String(n));
    await store.transact(
      [],
      [
        { put: `key/${n}`, value },
        { put: 'newest', value: Buffer.from(String(n)) },
      ],
    );
    process.stdout.write(`${n}\n`);
  }
}
await Promise.all(Array.from({ length: WRITERS }, write));
