// What a command may use of its surroundings, as an argument, so that tests can run commands in their own process.
import type { ProcessHost } from '../shared/lifecycle/process-signals.js';

/** A place for text; process.stdout and process.stderr are two. */
export interface TextSink {
  write(text: string | Uint8Array): unknown;
}

export interface Io {
  /** Data only: what a program may read. */
  readonly stdout: TextSink;
  /** Everything else. */
  readonly stderr: TextSink & NodeJS.WritableStream;
  readonly env: NodeJS.ProcessEnv;
  /** The working directory. */
  readonly directory: string;
  /** For the commands that must stop in order; the others are ended by a signal as any program is. */
  readonly host: ProcessHost;
}
