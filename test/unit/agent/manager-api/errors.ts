// What a promise was rejected with, for tests of failures.
import { AppError } from '../../../../shared/errors/app-error.js';

/** The AppError of a rejected promise; throws where it resolved or rejected with something else. */
export async function errorOf(promise: Promise<unknown>): Promise<AppError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}
