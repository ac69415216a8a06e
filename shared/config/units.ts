// Durations and sizes as people write them: "1h30m", "64MiB". Strict: what is not exactly of that form is refused.

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** Milliseconds of `1h30m`, `500ms`, `1.5s`; undefined where it is no duration. Units from large to small, each once. */
export function parseDuration(text: string): number | undefined {
  const pattern =
    /^(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?$/;
  const match = pattern.exec(text);
  if (match === null || text === '') return undefined;
  const amounts = match.slice(1).map((amount: string | undefined) => Number(amount ?? 0));
  const units = ['d', 'h', 'm', 's', 'ms'];
  const totalMs = units.reduce(
    (sum, unit, i) => sum + (amounts[i] ?? 0) * (MS_PER_UNIT[unit] ?? 0),
    0,
  );
  return Number.isSafeInteger(Math.round(totalMs)) ? Math.round(totalMs) : undefined;
}

/** The shortest text that `parseDuration` reads back as the same, e.g. `1h30m`; `0s` for none. */
export function formatDuration(ms: number): string {
  let restMs = Math.round(ms);
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const size = MS_PER_UNIT[unit] ?? 1;
    const amount = Math.floor(restMs / size);
    if (amount > 0) text += `${amount}${unit}`;
    restMs -= amount * size;
  }
  return text === '' ? '0s' : text;
}

/** Bytes of `64MiB`, `10GiB`, `512B`; undefined where it is no size. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB)$/.exec(text);
  if (match === null) return undefined;
  const bytes = Number(match[1]) * (BYTES_PER_UNIT[match[2] ?? ''] ?? 1);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
