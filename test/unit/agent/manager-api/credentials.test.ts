// The agent's token and certificates: looked at again when a call is made, and never taken half or bad.
import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CredentialSource } from '../../../../agent/manager-api/credentials.js';
import { temporaryDirectory, type TemporaryDirectory } from '../../../support/temp-dir.js';
import { errorOf } from './errors.js';

describe("the agent's credentials", () => {
  let directory: TemporaryDirectory;
  let tokenFile: string;
  let now: number;
  let troubles: string[];
  let source: CredentialSource;
  beforeEach(async () => {
    directory = await temporaryDirectory('credentials');
    tokenFile = join(directory.path, 'token');
    now = 0;
    troubles = [];
    await writeFile(tokenFile, 'one\n');
    source = await CredentialSource.open({
      tokenFile,
      monotonicMs: () => now,
      onTrouble: ({ message }) => troubles.push(message),
    });
  });
  afterEach(() => directory.remove());

  const tokenAfter = async (ms: number) => {
    now += ms;
    return (await source.current()).token;
  };

  it('have another token once two looks agree on it', async () => {
    expect(await tokenAfter(0)).to.equal('one');
    await writeFile(tokenFile, 'two\n');
    expect(await tokenAfter(500), 'not looked at yet').to.equal('one');
    expect(await tokenAfter(500), 'seen once').to.equal('one');
    expect(await tokenAfter(100), 'seen twice').to.equal('two');
  });

  it('are looked at right after a manager refused them', async () => {
    await writeFile(tokenFile, 'two\n');
    source.refused();
    await tokenAfter(0);
    expect(await tokenAfter(100)).to.equal('two');
  });

  it('stay as they are while a file is bad, which is said once', async () => {
    await writeFile(tokenFile, '');
    for (let i = 0; i < 3; i++) expect(await tokenAfter(1_000)).to.equal('one');
    expect(troubles).to.have.length(1);
    expect(troubles[0]).to.include('agent.token-file').and.include('is empty');
    await writeFile(tokenFile, 'two\n');
    await tokenAfter(1_000);
    expect(await tokenAfter(100)).to.equal('two');
  });

  it('are the same object while nothing changes, so that connections are kept', async () => {
    const before = await source.current();
    now += 5_000;
    expect(await source.current()).to.equal(before);
  });

  it('that can not be read keep an agent from starting, in one sentence', async () => {
    const error = await errorOf(CredentialSource.open({ caFile: '/no/such.pem' }));
    expect(error.code).to.equal('config-invalid');
    expect(error.message).to.include('agent.ca-file').and.include('/no/such.pem');
  });
});
