// As whom a request's work is recorded in orders and events: the name of its token, else the address that it came from.
import type { FastifyRequest } from 'fastify';

export function callerName({ caller, ip }: FastifyRequest): string {
  return caller?.name ?? ip;
}
