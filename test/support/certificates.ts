// Authorities and certificates for 127.0.0.1, made by openssl for one test. Throws where this machine has none.
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface Issued {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface Authority extends Issued {
  /** The authority's certificate as PEM. */
  readonly ca: string;
  /** A certificate for 127.0.0.1 and localhost, good for a server and for a client. */
  issue(name: string, dates?: { readonly from: Date; readonly to: Date }): Promise<Issued>;
}

const OPENSSL_WITHIN_MS = 10_000;
const DAY_MS = 24 * 3_600_000;

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export async function makeAuthority(directory: string, name: string): Promise<Authority> {
  const dir = join(directory, name);
  await mkdir(join(dir, 'issued'), { recursive: true });
  const at = (file: string) => join(dir, file);
  const [certFile, keyFile] = [at('ca.pem'), at('ca.key')];
  await openssl(
    'req',
    '-x509',
    ...NEW_KEY,
    '-subj',
    `/CN=${name}`,
    '-days',
    '2',
    '-keyout',
    keyFile,
    '-out',
    certFile,
  );
  await writeFile(at('index.txt'), '');
  await writeFile(at('serial'), '01');
  await writeFile(at('ca.cnf'), configOf(dir));
  return {
    certFile,
    keyFile,
    ca: await readFile(certFile, 'utf8'),
    async issue(leaf, dates) {
      const { from = new Date(Date.now() - DAY_MS), to = new Date(Date.now() + DAY_MS) } =
        dates ?? {};
      const issued = { certFile: at(`${leaf}.pem`), keyFile: at(`${leaf}.key`) };
      const request = at(`${leaf}.csr`);
      await openssl(
        'req',
        ...NEW_KEY,
        '-subj',
        `/CN=${leaf}`,
        '-keyout',
        issued.keyFile,
        '-out',
        request,
      );
      await openssl(
        'ca',
        '-batch',
        '-notext',
        '-config',
        at('ca.cnf'),
        '-startdate',
        stamp(from),
        '-enddate',
        stamp(to),
        '-in',
        request,
        '-out',
        issued.certFile,
      );
      return issued;
    },
  };
}

/** `20261122092400Z` */
function stamp(date: Date): string {
  return date.toISOString().replace(/[-:T]|\.\d+/g, '');
}

function configOf(dir: string): string {
  return `[ca]
default_ca = this
[this]
database = ${dir}/index.txt
serial = ${dir}/serial
new_certs_dir = ${dir}/issued
certificate = ${dir}/ca.pem
private_key = ${dir}/ca.key
default_md = sha256
policy = any
unique_subject = no
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
subjectAltName = IP:127.0.0.1,DNS:localhost
`;
}

async function openssl(...args: string[]): Promise<void> {
  await promisify(execFile)('openssl', args, { timeout: OPENSSL_WITHIN_MS });
}
