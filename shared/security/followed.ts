// A value that is made of files and follows them: read at the start, read again when they change. What can't be read or
// makes no sense never takes the place of what was good.
import type { FileFollowerOptions } from './file-follower.js';
import { FileFollower } from './file-follower.js';

export interface FollowedOptions<T> extends Omit<FileFollowerOptions, 'take'> {
  /** Makes the value of the files; throws AppError `config-invalid` where they are not good. */
  readonly read: () => Promise<T>;
  /** Told of each new value before it counts; where it throws, the old one stays. */
  readonly onChange?: (value: T) => void;
}

export interface Followed<T> {
  /** The newest good one. */
  readonly current: T;
  /** Follows the files until the signal is aborted. Without it the first value stays. */
  run(signal: AbortSignal): Promise<void>;
}

/** Throws what `read` throws the first time. */
export async function follow<T>(options: FollowedOptions<T>): Promise<Followed<T>> {
  const { read, onChange } = options;
  const follower = new FileFollower({
    ...options,
    take: async () => {
      const value = await read();
      onChange?.(value);
      current = value;
    },
  });
  await follower.note();
  let current = await read();
  return {
    get current() {
      return current;
    },
    run: (signal) => follower.run(signal),
  };
}
