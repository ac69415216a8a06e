// Which databases the cluster shares: `sync.include` and `sync.exclude`, lists of globs in which `*` stands for any text
// and `?` for one character. What they hide is absent on neither side; nothing is dropped for it.

/** A predicate over database names; exclude wins over include. */
export function sharedDatabases(patterns: {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}): (database: string) => boolean {
  const include = patterns.include.map(globToRegExp);
  const exclude = patterns.exclude.map(globToRegExp);
  return (database) =>
    include.some((glob) => glob.test(database)) && !exclude.some((glob) => glob.test(database));
}

/** Flags: `s` because a name may hold a newline, `u` so that `?` is one character and not half of an emoji. */
function globToRegExp(glob: string): RegExp {
  const source = glob
    .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'su');
}
