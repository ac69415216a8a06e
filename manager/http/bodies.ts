// How bodies are read: whatever content type a client names. Snapshot routes take bytes, all others JSON, so that curl's
// defaults (`-d`, `-T`, `--data-binary`) work.
import { AppError, messageOf } from '../../shared/errors/app-error.js';
import type { App } from './app.js';

/** Every body of this scope is bytes. */
export function takeBytes(scope: App): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body);
  });
}

/** Every body of this scope is JSON; none is the empty object. */
export function takeJson(scope: App): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, parseJson(body.toString()));
    } catch (error) {
      done(error as Error);
    }
  });
  scope.addHook('preValidation', (request, _reply, done) => {
    request.body ??= {};
    done();
  });
}

function parseJson(text: string): unknown {
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError('body-invalid', `the body is not JSON: ${reasonOf(cause)}`, {
      status: 400,
      cause,
    });
  }
}

/** Without the piece of the body that the engine quotes: it may be a secret, and it may have lines. */
function reasonOf(cause: unknown): string {
  return messageOf(cause)
    .replace(/,? *(\.\.\.)?".*is not valid JSON$/s, '')
    .replace(/\p{Cc}/gu, '?');
}
