// Secrets from files.
import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readSecret, readSecretLines, readText } from '../../../shared/config/secret-file.js';
import { isAppError } from '../../../shared/errors/app-error.js';
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temp-dir.js';

describe('secret files', () => {
  let directory: TemporaryDirectory;
  let file: string;
  beforeEach(async () => {
    directory = await temporaryDirectory('secret');
    file = join(directory.path, 'secret');
  });
  afterEach(() => directory.remove());

  it('give their first line without its end, and all lines that are not empty', async () => {
    await writeFile(file, ' a b \r\n\nold\n');
    expect(await readSecret('agent.secret-file', file)).to.equal(' a b ');
    expect(await readSecretLines('agent.secret-file', file)).to.deep.equal([' a b ', 'old']);
    expect(await readText('agent.ca-file', file)).to.equal(' a b \r\n\nold\n');
  });

  it('are refused by the name of their key where they are empty or not there', async () => {
    await writeFile(file, '\n');
    const empty = await readSecret('influxdb.password-file', file).catch((error: unknown) => error);
    const missing = await readSecret('etcd.password-file', `${file}x`).catch(
      (error: unknown) => error,
    );
    for (const error of [empty, missing])
      expect(isAppError(error, 'config-invalid')).to.equal(true);
    expect((empty as Error).message).to.match(/^influxdb\.password-file: .* is empty$/);
    expect((missing as Error).message).to.match(/^etcd\.password-file: reading .* failed: ENOENT/);
  });
});
