// Names, strings and patterns as InfluxQL writes them, so that they are read back as the same. What has a carriage return or a
// NUL in it can't be written: a carriage return is read as a line feed, and NUL ends a text.

export function nameText(name: string): string {
  return `"${escaped(name).replaceAll('"', '\\"')}"`;
}

export function stringText(value: string): string {
  return `'${escaped(value).replaceAll("'", "\\'")}'`;
}

/** A line feed ends a regular expression in InfluxQL; within one, \n is the same. */
export function regexText(pattern: string): string {
  return `/${pattern.replaceAll('/', '\\/').replaceAll('\n', '\\n').replaceAll('\r', '\\r')}/`;
}

export function isWritable(text: string): boolean {
  return !/[\r\0]/.test(text);
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
