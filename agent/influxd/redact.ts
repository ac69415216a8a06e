// Takes passwords out of statements and of influxd's error texts before they reach an error, a log or a person.

/** `… WITH PASSWORD 'x'` and `SET PASSWORD FOR "u" = 'x'`; a string ends at the first quote that no backslash escapes. */
const PASSWORDS =
  /(\bpassword\s+(?:for\s+(?:"(?:[^"\\]|\\.)*"|\S+)\s*=\s*)?)('(?:[^'\\]|\\.)*'?)/gis;

/** User info in a URL: `http://user:password@host`. */
const USER_INFO = /([a-z][a-z0-9+.-]*:\/\/)[^/\s'"@]*:[^/\s'"@]*@/gi;

/** The text with passwords of statements and user info of URLs replaced by `[REDACTED]`. */
export function redact(text: string): string {
  return text.replace(PASSWORDS, '$1[REDACTED]').replace(USER_INFO, '$1[REDACTED]@');
}

/** For messages: redacted, and cut at a length that still names the object. */
export function brief(statement: string): string {
  const text = redact(statement);
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)} …`;
}

const MAX_TEXT = 200;
