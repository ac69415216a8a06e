// Certificates are checked before anything uses them: expired, foreign keys, damaged files.
import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAppError } from '../../../../shared/errors/app-error.js';
import {
  certificateFiles,
  pathsOf,
  readCertificates,
} from '../../../../shared/security/certificates.js';
import { makeAuthority, type Authority, type Issued } from '../../../support/certificates.js';
import { temporaryDirectory, type TemporaryDirectory } from '../../../support/temp-dir.js';

describe('certificates from files', () => {
  let directory: TemporaryDirectory;
  let authority: Authority;
  let one: Issued;
  let other: Issued;
  before(async () => {
    directory = await temporaryDirectory('certificates');
    authority = await makeAuthority(directory.path, 'authority');
    one = await authority.issue('one');
    other = await authority.issue('other');
  });
  after(() => directory.remove());

  const DAY_MS = 24 * 3_600_000;
  const read = (files: Partial<Issued & { caFile: string }>, nowMs = Date.now()) =>
    readCertificates(certificateFiles('manager', files, 'client-ca-file'), nowMs);
  const failure = (reading: Promise<unknown>) =>
    reading.then(
      () => 'it was taken',
      (error: unknown) => (isAppError(error, 'config-invalid') ? error.message : String(error)),
    );
  const file = async (text: string) => {
    const path = join(directory.path, 'some.pem');
    await writeFile(path, text);
    return path;
  };

  it('are read where they belong together', async () => {
    const files = { ...one, caFile: authority.certFile };
    const found = await read(files);
    expect(found.ca).to.equal(authority.ca);
    expect(found.cert).to.include('BEGIN CERTIFICATE');
    expect(pathsOf(certificateFiles('manager', files))).to.deep.equal([
      one.certFile,
      one.keyFile,
      authority.certFile,
    ]);
    expect(await read({})).to.deep.equal({ cert: undefined, key: undefined, ca: undefined });
  });

  it('are refused with the key of another certificate', async () => {
    const sentence = await failure(read({ ...one, keyFile: other.keyFile }));
    expect(sentence).to.match(
      /^manager\.key-file .*other\.key: it is not the key of the certificate in manager\.cert-file .*one\.pem/,
    );
  });

  it('are refused before and after their time, with the time', async () => {
    expect(await failure(read(one, Date.now() + 2 * DAY_MS))).to.match(
      /one\.pem: the certificate expired at \d{4}-/,
    );
    expect(await failure(read(one, Date.now() - 2 * DAY_MS))).to.match(
      /one\.pem: the certificate is not valid before \d{4}-/,
    );
    const late = Date.now() + 3 * DAY_MS;
    expect(await failure(read({ caFile: authority.certFile }, late))).to.match(
      /^manager\.client-ca-file .*expired at/,
    );
  });

  it('of two authorities one may have run out: a bundle during a rotation', async () => {
    const from = new Date(Date.now() - 3 * DAY_MS);
    const old = await authority.issue('old', { from, to: new Date(Date.now() - DAY_MS) });
    const { cert } = await read(
      { certFile: old.certFile, keyFile: old.keyFile },
      from.getTime() + DAY_MS,
    );
    expect(await failure(read({ caFile: await file(`${cert}\n${authority.ca}`) }))).to.equal(
      'it was taken',
    );
    expect(await failure(read({ caFile: await file(cert ?? '') }))).to.match(/expired at/);
  });

  it('are refused where the files have something else, which is not repeated', async () => {
    const nonsense = await file('my-secret');
    for (const files of [
      { ...one, certFile: nonsense },
      { ...one, keyFile: nonsense },
      { caFile: nonsense },
    ]) {
      const sentence = await failure(read(files));
      expect(sentence).to.include('some.pem: it');
      expect(sentence).to.not.include('my-secret');
    }
    expect(await failure(read({ ...one, keyFile: '/no/such' }))).to.match(
      /^manager\.key-file: reading \/no\/such failed/,
    );
  });
});
