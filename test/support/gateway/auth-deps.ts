// What the gateway's authentication is made of in tests: users by name and password, and requests that nobody sent.
import { hashSync } from 'bcryptjs';
import type { IncomingMessage } from 'node:http';
import type { Metadata, Privilege, UserInfo } from '../../../agent/gateway/metadata/port.js';

/** The least that bcrypt has: a run takes 2 ms. */
const CHEAP_COST = 4;

export function user(
  name: string,
  password: string,
  more: { isAdmin?: boolean; privileges?: Record<string, Privilege>; cost?: number } = {},
): UserInfo {
  const { isAdmin = false, privileges = {}, cost = CHEAP_COST } = more;
  const hash = hashSync(password, cost);
  return { name, hash, isAdmin, privileges: new Map(Object.entries(privileges)) };
}

export function metadataWith(...users: UserInfo[]): Metadata {
  return {
    version: 1,
    databases: new Map(),
    users: new Map(users.map((each) => [each.name, each])),
  };
}

export function requestOf(authorization?: string, remoteAddress = '127.0.0.1'): IncomingMessage {
  const headers = authorization === undefined ? {} : { authorization };
  return { headers, socket: { remoteAddress } } as unknown as IncomingMessage;
}

export function basic(name: string, password: string): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
}
