// What a person is told after a rejoin can be pasted as it is.
import { join } from 'node:path';
import { expect } from 'chai';
import { runRejoin } from '../../../../agent/commands/rejoin.js';
import { StateDirectory } from '../../../../agent/state/state-directory.js';
import { loadConfig } from '../../../../shared/config/load.js';
import { silentLogger } from '../../../../shared/log/logger.js';
import { temporaryDirectory } from '../../../support/temp-dir.js';

describe('agent rejoin', () => {
  it('names the command, with all that it needs, that takes the old node off the list', async () => {
    const directory = await temporaryDirectory('rejoin');
    const path = join(directory.path, 'state');
    const logger = silentLogger();
    const state = await StateDirectory.open({ path, cluster: 'plant', logger });
    await state.confirm(await state.beginSession(), 4);
    await state.close();
    const { config } = loadConfig({
      file: undefined,
      flags: [
        { path: 'agent.state-dir', value: path, flag: '--state-dir' },
        { path: 'agent.cluster', value: 'plant-2', flag: '--cluster' },
      ],
      directory: directory.path,
      facts: { home: path, isWritable: () => false, openFilesLimit: 1_024, env: {} },
    });
    const { signal } = new AbortController();
    const { sentence } = await runRejoin({ config, logger, signal });
    expect(sentence).to.contain('`clusterflux nodes forget 4 --cluster plant --yes`');
    await directory.remove();
  });
});
