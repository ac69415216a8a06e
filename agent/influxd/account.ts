// The agent's account at the local influxd: a name with its password, or a name with the secret that influxd and the agent
// share, with which short-lived tokens are made. Both are asked for at each request, because their files may change.
import { createHmac } from 'node:crypto';
import { AppError } from '../../shared/errors/app-error.js';

export interface InfluxdAccount {
  /** An administrator; undefined where influxd asks nobody. */
  readonly username?: string | undefined;
  readonly password?: (() => string) | undefined;
  /** influxd's `shared-secret`; then there is no password. */
  readonly jwtSecret?: (() => string) | undefined;
}

/** Long enough for a request, and too short to be worth stealing. influxd refuses tokens without an end. */
const TOKEN_TTL_MS = 60_000;

/** @throws AppError `config-invalid` for a name that the kind of account can't have. */
export function checkAccount({ username, jwtSecret }: InfluxdAccount): void {
  if (username?.includes(':') !== true || jwtSecret !== undefined) return;
  throw new AppError(
    'config-invalid',
    'reading influxdb.username: a name with a colon does not fit into HTTP basic authentication; use another account',
    { status: 400 },
  );
}

/** The header, if there is an account. @param nowMs by influxd's clock. */
export function authorizationOf(account: InfluxdAccount, nowMs: number): Record<string, string> {
  const { username, password, jwtSecret } = account;
  if (username === undefined) return {};
  if (jwtSecret !== undefined) {
    return { authorization: `Bearer ${signToken(username, nowMs + TOKEN_TTL_MS, jwtSecret())}` };
  }
  const token = Buffer.from(`${username}:${password?.() ?? ''}`, 'utf8').toString('base64');
  return { authorization: `Basic ${token}` };
}

/** What is wrong with the account, and what to do, where influxd answered 401 or 403. */
export function whyDenied({ username, jwtSecret }: InfluxdAccount, status: number): string {
  const administrator = 'to an administrator of this influxd';
  if (username === undefined) {
    return `asks who it is, and no account is configured; set influxdb.username and influxdb.password-file (or influxdb.jwt-secret-file) ${administrator}`;
  }
  const name = JSON.stringify(username);
  if (status === 403) {
    return `does not let the agent's account ${name} do this; make it an administrator with GRANT ALL PRIVILEGES TO, or set influxdb.username ${administrator}`;
  }
  return jwtSecret === undefined
    ? `refuses the agent's account ${name}; set influxdb.username and influxdb.password-file ${administrator}`
    : `refuses the token of the agent's account ${name}; set influxdb.jwt-secret-file to the shared-secret of its configuration, and influxdb.username ${administrator}`;
}

/** HS256 with the two claims that influxd asks for. */
function signToken(username: string, endMs: number, secret: string): string {
  const claims = { username, exp: Math.floor(endMs / 1_000) };
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
