// Errors as answers: problem+json with a stable code, never a stack trace. What is not one of our errors becomes a bland
// 500 and goes to the log whole.
import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { PROBLEM_TYPE } from '../../shared/api/headers.js';
import type { Problem } from '../../shared/api/problem.js';
import { AppError, type ErrorCode } from '../../shared/errors/app-error.js';
import type { Logger } from '../../shared/log/logger.js';

/** Where the store is out of reach, trying again sooner than this is of no use. */
const DEFAULT_RETRY_AFTER_SECONDS = 1;

/** Answers with an error. */
export function sendError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  logger: Logger,
): FastifyReply {
  const known = asAppError(error, request);
  if (known.status >= 500 && known.status !== 503) {
    logger.error('request failed', {
      requestId: request.id,
      op: request.routeOptions.url,
      err: error,
    });
  }
  if (known.status === 503 || known.status === 429) {
    void reply.header('retry-after', known.retryAfterSeconds ?? DEFAULT_RETRY_AFTER_SECONDS);
  }
  // As bytes: a text would get a charset that the media type does not have.
  const body = Buffer.from(JSON.stringify(problemOf(known, request.id)));
  return reply.code(known.status).type(PROBLEM_TYPE).send(body);
}

function problemOf(error: AppError, requestId: string): Problem {
  return {
    ...error.details,
    type: `urn:clusterflux:problem:${error.code}`,
    title: STATUS_CODES[error.status] ?? 'Error',
    status: error.status,
    detail: error.message,
    code: error.code,
    'request-id': requestId,
  };
}

function asAppError(error: unknown, request: FastifyRequest): AppError {
  // `aborted` is only seen when the manager stops in the middle of a request.
  if (error instanceof AppError) return error.code === 'aborted' ? stopping(error) : error;
  if (hasZodFastifySchemaValidationErrors(error)) return invalidInput(error);
  return ofFastify(error as Partial<FastifyError>, request);
}

function stopping(cause: AppError): AppError {
  return new AppError(
    'store-unavailable',
    'the manager is stopping, or the store did not answer in time; try again, or ask another manager',
    { status: 503, retryable: true, cause },
  );
}

interface InvalidInput {
  readonly validation: readonly {
    readonly instancePath: string;
    readonly message?: string | undefined;
  }[];
  readonly validationContext?: string | undefined;
}

const PLACES: Readonly<Record<string, string>> = {
  params: 'path',
  querystring: 'query parameter',
  headers: 'header',
  body: 'body field',
};

const VERSION_FIELDS = new Set(['version', 'from', 'to', 'expect']);

function invalidInput({ validation, validationContext = 'body' }: InvalidInput): AppError {
  const reasons = validation.map(({ instancePath, message }) => {
    const field = instancePath.slice(1).replaceAll('/', '.');
    return field === ''
      ? (message ?? '')
      : `${PLACES[validationContext] ?? 'field'} ${field}: ${message ?? 'is not valid'}`;
  });
  const field = validation[0]?.instancePath.split('/')[1] ?? '';
  return new AppError(codeFor(validationContext, field), reasons.join('; '), { status: 400 });
}

function codeFor(context: string, field: string): ErrorCode {
  if (context === 'body' || context === 'headers') return 'body-invalid';
  if (VERSION_FIELDS.has(field)) return 'version-invalid';
  return context === 'params' ? 'name-invalid' : 'body-invalid';
}

/** Fastify's own errors, by their code. */
function ofFastify(error: Partial<FastifyError>, request: FastifyRequest): AppError {
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return tooLarge(request);
  if (error.code === 'FST_ERR_BAD_URL') {
    return new AppError(
      'name-invalid',
      'the path is not percent-encoded UTF-8; write % as %25 and other special characters by their bytes',
      { status: 400 },
    );
  }
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500) {
    return new AppError('body-invalid', `the request cannot be read: ${error.message ?? ''}`, {
      status,
    });
  }
  return new AppError('internal', 'the manager failed on this request; its log says why', {
    cause: error,
  });
}

function tooLarge(request: FastifyRequest): AppError {
  const limit = request.routeOptions.bodyLimit;
  const isSnapshot = request.routeOptions.config.takesSnapshot === true;
  return new AppError(
    isSnapshot ? 'snapshot-too-large' : 'body-invalid',
    isSnapshot
      ? `the snapshot is larger than ${limit} bytes; raise manager.max-snapshot-size`
      : `the body is larger than ${limit} bytes`,
    { status: 413, details: { 'limit-bytes': limit } },
  );
}
