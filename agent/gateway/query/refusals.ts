// What the query path refuses by itself, as a whole statement.
import type { AppError } from '../../../shared/errors/app-error.js';
import type { Refusal } from './port.js';

export function refusalOf(error: AppError): Refusal {
  const { status, code, message, retryable, retryAfterSeconds } = error;
  return {
    kind: 'refused',
    status,
    code,
    error: message,
    isSafeToRetry: retryable,
    retryAfterSeconds,
  };
}

export function unwritableParameter(): Refusal {
  return {
    kind: 'refused',
    status: 400,
    code: 'bad-request',
    error:
      'the value of a bound parameter can not be written into this statement, which goes on as text: InfluxQL has no way to ' +
      'write a carriage return, or a number below zero behind a minus',
    isSafeToRetry: false,
  };
}

export function dropShard(): Refusal {
  return {
    kind: 'refused',
    status: 501,
    code: 'not-answerable',
    error:
      'DROP SHARD is not run through the gateway: every influxd counts its shards by itself, so the number would name another ' +
      'shard on each node; drop the data with DELETE or by its retention policy, and see `clusterflux shards list`',
    isSafeToRetry: false,
  };
}
