// One log line as text, in both forms. Pure; refuses to fail on what it is given (a log must not break its program).
import { AppError } from '../errors/app-error.js';

export interface LogLine {
  readonly at: Date;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A JSON object on one line: ts, level, msg, then the fields. */
export function renderJson(line: LogLine, withStack: boolean): string {
  const head = { ts: line.at.toISOString(), level: line.level, msg: line.message };
  return toJson({ ...head, ...flatten(line.fields, withStack) });
}

/** `2026-11-22T08:00:00.000Z INFO  listening url=http://…`, for people. */
export function renderText(line: LogLine, withStack: boolean): string {
  const fields = flatten(line.fields, withStack);
  const stack = fields['err.stack'];
  const parts = Object.entries(fields)
    .filter(([key]) => !HIDDEN_IN_TEXT.has(key))
    .map(([key, value]) => `${key}=${textOf(value)}`);
  const head = `${line.at.toISOString()} ${line.level.toUpperCase().padEnd(5)} ${line.message}`;
  const text = [head, ...parts].join(' ');
  return typeof stack === 'string' ? `${text}\n${stack}` : text;
}

/** A person at a terminal knows which program runs; a stack goes below the line. */
const HIDDEN_IN_TEXT = new Set(['service', 'build', 'err.stack']);

/** Errors become err.code, err.message and (at debug) err.stack; undefined fields go. */
function flatten(fields: LogLine['fields'], withStack: boolean): Record<string, unknown> {
  const flat: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (!(value instanceof Error)) {
      flat[key] = value;
      continue;
    }
    if (value instanceof AppError) flat['err.code'] = value.code;
    flat['err.message'] = value.message;
    if (withStack) flat['err.stack'] = stackOf(value);
  }
  return flat;
}

function stackOf(error: Error): string {
  const own = error.stack ?? `${error.name}: ${error.message}`;
  return error.cause instanceof Error ? `${own}\ncaused by ${stackOf(error.cause)}` : own;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
  return toJson(value);
}

function toJson(value: unknown): string {
  try {
    return JSON.stringify(value, (_key, inner: unknown) =>
      typeof inner === 'bigint' ? inner.toString() : inner,
    );
  } catch {
    // A circular value: its place in the log is kept, its content is not worth a crash.
    return '"(not printable)"';
  }
}
