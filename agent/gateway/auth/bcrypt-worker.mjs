// A thread that compares passwords with bcrypt hashes, one at a time: 80 ms of computing that the event loop must not wait for.
// Plain JavaScript, because a thread that runs from the sources has no loader for anything else.
import { parentPort } from 'node:worker_threads';
import { compareSync } from 'bcryptjs';

/** Takes `{id, password, hash}`, answers `{id, isRight}` (bcrypt-pool.ts). */
parentPort.on('message', ({ id, password, hash }) => {
  parentPort.postMessage({ id, isRight: isRight(password, hash) });
});

function isRight(password, hash) {
  try {
    return compareSync(password, hash);
  } catch {
    // No bcrypt hash: no password fits it, as in influxd.
    return false;
  }
}
