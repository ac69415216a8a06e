// A query that we can't parse goes to influxd only so that it is refused in influxd's own words. A later influxd knows more
// of InfluxQL, though, and would run it on one node alone: this asks beforehand, by a text that no influxd can run.

/** A statement that there is none of: influxd reads a query to its end before it runs anything. */
const NO_STATEMENT = '\n;)';

/** To be sent to influxd in the place of the query; it always answers 400. */
export function refusalProbe(text: string): string {
  return text + NO_STATEMENT;
}

/** By its answer to the probe: whether influxd would have run the query itself. Where not, the query can be sent as it is. */
export function wouldRun(error: string): boolean {
  return error.includes('found ), expected SELECT, ');
}
