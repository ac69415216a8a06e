// The log: a small interface that every part takes, and its making on winston. Lines go to stderr, because stdout is
// for data. It does not filter secrets: they must never be handed to it.
import winston from 'winston';
import { renderJson, renderText, type LogLine } from './render.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFormat = 'auto' | 'json' | 'text';

/** Data of a line, from the closed list in docs (component, node, cluster, durationMs, err, …). `err` takes any Error. */
export type LogFields = Record<string, unknown>;

/** What every part logs through. The message is constant and lower case; what varies goes into the fields. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to each of its lines. */
  child(fields: LogFields): Logger;
}

/** The logger of a process: made once by the command line, and flushed before the process ends. */
export interface RootLogger extends Logger {
  /** Ends the log and waits until its last line is written; nothing may be logged afterwards. */
  flush(): Promise<void>;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  /** `auto`: text where the stream is a terminal, else JSON. */
  readonly format: LogFormat;
  /** `manager`, `agent` or `cli`; the field `service` of each line. */
  readonly service: string;
  /** The version of the program; the field `build` of each line. */
  readonly build?: string;
  /** Where lines go; stderr by default. */
  readonly stream?: NodeJS.WritableStream;
}

export function createLogger(options: LoggerOptions): RootLogger {
  const stream = options.stream ?? process.stderr;
  const render = isJson(options.format, stream) ? renderJson : renderText;
  const withStack = options.level === 'debug';
  // winston's own typings name the stream transport's instance as if it were its class.
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment
  const transport: winston.transport = new winston.transports.Stream({ stream });
  const root = winston.createLogger({
    level: options.level,
    format: winston.format.printf((info) => render(info['line'] as LogLine, withStack)),
    transports: [transport],
  });
  const base: LogFields = { service: options.service };
  if (options.build !== undefined) base['build'] = options.build;
  // The line travels in one property of its own: winston gives `message` and `level` in a caller's fields a meaning.
  const write: Write = (line) => {
    root.log({ level: line.level, message: line.message, line });
  };
  const flush = async (): Promise<void> => {
    const finished = new Promise((resolve) => transport.once('finish', resolve));
    root.end();
    await finished;
    // The transport has handed everything to the stream by now; the stream calls back when it has written it out.
    await new Promise<void>((resolve) => {
      stream.write('', () => {
        resolve();
      });
    });
  };
  return Object.assign(loggerOver(write, base), { flush });
}

/** Keeps nothing; for tests that do not look at the log. */
export function silentLogger(): Logger {
  return loggerOver(() => undefined, {});
}

/** Keeps every line in `lines`; for tests that do. */
export function memoryLogger(): Logger & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  return Object.assign(
    loggerOver((line) => lines.push(line), {}),
    { lines },
  );
}

type Write = (line: LogLine) => void;

function loggerOver(write: Write, base: LogFields): Logger {
  const at =
    (level: LogLevel) =>
    (message: string, fields?: LogFields): void => {
      write({ at: new Date(), level, message, fields: { ...base, ...fields } });
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => loggerOver(write, { ...base, ...fields }),
  };
}

function isJson(format: LogFormat, stream: NodeJS.WritableStream): boolean {
  if (format !== 'auto') return format === 'json';
  return !('isTTY' in stream && stream.isTTY === true);
}
