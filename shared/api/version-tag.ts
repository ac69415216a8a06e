// The full name of a version: incarnation, number and digest; the form of ETag, If-Match and X-Clusterflux-Known.

export interface VersionTag {
  /** UUID made with the cluster (and made anew when its store went back in time). */
  readonly incarnation: string;
  readonly version: number;
  /** SHA-256, hex, over the digest before it and the content. */
  readonly digest: string;
}

/** `"{incarnation}.{version}.{digest}"`, quotes included. */
export function formatTag(tag: VersionTag): string {
  return `"${tag.incarnation}.${tag.version}.${tag.digest}"`;
}

/** The inverse of `formatTag` (quotes optional); undefined where the text is something else. */
export function parseTag(text: string): VersionTag | undefined {
  const match = /^"?([0-9a-f-]{36})\.(\d{1,15})\.([0-9a-f]{64})"?$/.exec(text.trim());
  if (!match) return undefined;
  const [, incarnation = '', version = '', digest = ''] = match;
  return { incarnation, version: Number(version), digest };
}

export function sameTag(a: VersionTag | undefined, b: VersionTag | undefined): boolean {
  return a?.incarnation === b?.incarnation && a?.version === b?.version && a?.digest === b?.digest;
}
