// What escapes in line protocol stand for, as influxd 1.6 undoes them when it stores a name: a backslash is an escape before
// certain bytes alone, and an ordinary byte elsewhere.

/** Of a measurement, or a field's key: pkg/escape of InfluxDB. */
export function unescapeName(text: string): string {
  return text.includes('\\') ? text.replace(/\\([," =])/g, '$1') : text;
}

/** Of a tag's key or value. */
export function unescapeTag(text: string): string {
  return text.includes('\\') ? text.replace(/\\([, =])/g, '$1') : text;
}

/** Of the inside of a quoted field value. */
export function unescapeString(text: string): string {
  return text.includes('\\') ? text.replace(/\\([\\"])/g, '$1') : text;
}
