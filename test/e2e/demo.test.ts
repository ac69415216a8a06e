// `make demo ONCE=1` over both stores: everything arrives everywhere, nothing is left behind, and demo.json says what was.
import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { killAtExit } from '../support/at-exit.js';
import { builtLauncher } from '../support/build.js';
import { cleanEnvironment } from '../support/command.js';
import { temporaryDirectory } from '../support/temp-dir.js';

interface DemoRecord {
  readonly complete: boolean;
  readonly 'started-in-ms': number;
  readonly managers: readonly { readonly pid: number }[];
  readonly nodes: readonly {
    readonly influxd: { readonly pid: number };
    readonly agent: { readonly pid: number };
  }[];
  readonly points: readonly { readonly acknowledged: number; readonly read: number }[];
  readonly changes: readonly {
    readonly statement: string;
    readonly arrivals: readonly unknown[];
  }[];
}

/** What the user is promised. */
const UP_WITHIN_MS = 15_000;

describe('the demo', function () {
  this.timeout(120_000);

  for (const store of ['embedded', 'etcd']) {
    it(`brings everything everywhere over ${store}, and ends all of it`, async () => {
      const temporary = await temporaryDirectory('demo-test');
      const { code, output } = await runDemo(store, temporary.path);
      expect(code, output).to.equal(0);
      const dir = /demo\.json: (\S+)/.exec(output)?.[1] ?? '';
      const record = JSON.parse(await readFile(join(dir, 'demo.json'), 'utf8')) as DemoRecord;
      expect(record.complete).to.equal(true);
      expect(record['started-in-ms']).to.be.lessThan(UP_WITHIN_MS);
      expect(record.changes).to.have.lengthOf(4);
      for (const { arrivals } of record.changes) expect(arrivals).to.have.lengthOf(2);
      expect(record.points.map(({ read }) => read)).to.deep.equal([1_000, 2_000, 2_000]);
      const pids = [
        ...record.managers.map(({ pid }) => pid),
        ...record.nodes.flatMap(({ influxd, agent }) => [influxd.pid, agent.pid]),
      ];
      expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).to.deep.equal([]);
      expect(existsSync(join(dir, 'data'))).to.equal(false);
      await temporary.remove();
    });
  }
});

/** In a copy of what it needs, as in a fresh checkout: nobody's build disturbs it. */
async function runDemo(
  store: string,
  temporary: string,
): Promise<{ code: number | null; output: string }> {
  const checkout = dirname(dirname(await builtLauncher()));
  await cp(checkout, join(temporary, 'checkout'), { recursive: true });
  const child = spawn(process.execPath, [join(temporary, 'checkout/dist/demo.js')], {
    cwd: join(temporary, 'checkout'),
    env: {
      ...cleanEnvironment(temporary),
      STORE: store,
      ONCE: '1',
      TMPDIR: temporary,
      PATH: programs(),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  killAtExit(child);
  let output = '';
  child.stdout.on('data', (piece: Buffer) => (output += piece.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}

/** The servers that `make deps` unpacked lie in the checkout; the copy has none. */
function programs(): string {
  const unpacked = join(import.meta.dirname, '../../.tools/usr/bin');
  return `${unpacked}:${process.env['PATH'] ?? ''}`;
}
