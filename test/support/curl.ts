// HTTP by curl, as scripts made for the original use it; by Node's own client where there is no curl.
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface CurlAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
  json(): unknown;
}

export interface CurlOptions {
  /** As curl's --data-binary, with curl's own content type where no header says another. */
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

const WITHIN_S = 20;

let isThere: boolean | undefined;

/** `curl -X METHOD URL`: whatever the status, resolves to the answer. */
export async function curl(
  method: string,
  url: string,
  options: CurlOptions = {},
): Promise<CurlAnswer> {
  isThere ??= spawnSync('curl', ['--version']).status === 0;
  return isThere ? byCurl(method, url, options) : byNode(method, url, options);
}

async function byCurl(method: string, url: string, options: CurlOptions): Promise<CurlAnswer> {
  const dir = await mkdtemp(join(tmpdir(), 'clusterflux-curl-'));
  try {
    const [head, out, data] = ['head', 'out', 'data'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    const args = ['-sS', '-m', String(WITHIN_S), '-X', method, '-D', head, '-o', out];
    for (const [name, value] of Object.entries(options.headers ?? {}))
      args.push('-H', `${name}: ${value}`);
    if (options.body !== undefined) {
      await writeFile(data, options.body);
      args.push('--data-binary', `@${data}`);
    }
    await promisify(execFile)('curl', [...args, url]);
    // No body, no file.
    const body = await readFile(out).catch(() => Buffer.alloc(0));
    return parseAnswer(await readFile(head, 'latin1'), body);
  } finally {
    await rm(dir, { recursive: true });
  }
}

/** The last block of headers: before it there may be "100 Continue". */
function parseAnswer(text: string, body: Buffer): CurlAnswer {
  const lines = (text.trim().split('\r\n\r\n').at(-1) ?? '').split('\r\n');
  const headers = new Headers();
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(':');
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return answerOf(Number(lines[0]?.split(' ')[1]), headers, body);
}

async function byNode(method: string, url: string, options: CurlOptions): Promise<CurlAnswer> {
  const answer = await fetch(url, {
    method,
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...options.headers },
    ...(options.body === undefined ? {} : { body: Buffer.from(options.body) }),
    signal: AbortSignal.timeout(WITHIN_S * 1_000),
  });
  return answerOf(answer.status, answer.headers, Buffer.from(await answer.arrayBuffer()));
}

function answerOf(status: number, headers: Headers, body: Buffer): CurlAnswer {
  return { status, headers, body, json: () => JSON.parse(body.toString('utf8')) as unknown };
}
