// Whether a zone of tz('...') exists. Go looks it up as a file of the zone database, so its names are the files' names.

/** Files of the zone database that JavaScript has no zone for, or that it knows by another name. */
const MORE_FILES = /^(posix\/|right\/)|^(localtime|Local|posixrules|Factory|leapseconds|)$/;

export function isKnownZone(name: string): boolean {
  if (MORE_FILES.test(name)) return true;
  // JavaScript takes +01:00 and such, Go does not; it also tells no cases apart, which we leave: influxd answers then.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    // A RangeError is its way to say no.
    return false;
  }
}
