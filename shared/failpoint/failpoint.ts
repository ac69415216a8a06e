// Named places in the code at which a test makes this process die, stop or wait, by an environment variable. The release build
// leaves out every call and this file with them (tools/build.mjs); it changes nothing where the variable is not set.
import { writeSync } from 'node:fs';
import { AppError } from '../errors/app-error.js';

/** `name[:nth][=action]`, several with commas: `agent.push.sent:2=kill,manager.write.committed=delay:500`. */
const VARIABLE = 'CLUSTERFLUX_FAILPOINT';

/** What happens at the nth time that a place is reached; from then on it happens never again. */
export type FailpointAction =
  /** SIGKILL and SIGSTOP to this process. */
  | { readonly kind: 'kill' | 'stop' }
  | { readonly kind: 'delay'; readonly ms: number }
  /** Goes on after SIGUSR2. */
  | { readonly kind: 'hold' }
  | { readonly kind: 'throw' };

/** What a failpoint does to its process. */
export interface FailpointHost {
  say(line: string): void;
  signal(name: 'SIGKILL' | 'SIGSTOP'): Promise<void>;
  sleep(ms: number): Promise<void>;
  untilReleased(): Promise<void>;
}

interface Armed {
  readonly action: FailpointAction;
  timesLeft: number;
}

export class Failpoints {
  private readonly armed: ReadonlyMap<string, Armed>;

  /** Throws AppError `config-invalid` for a text that is no list of failpoints. */
  constructor(
    text: string,
    private readonly host: FailpointHost,
  ) {
    this.armed = new Map(
      text
        .split(',')
        .filter((part) => part !== '')
        .map(parse),
    );
  }

  async reached(name: string): Promise<void> {
    const armed = this.armed.get(name);
    if (armed === undefined || armed.timesLeft <= 0) return;
    armed.timesLeft -= 1;
    if (armed.timesLeft > 0) return;
    this.host.say(`failpoint ${name} reached: ${armed.action.kind}`);
    await this.act(name, armed.action);
  }

  private async act(name: string, action: FailpointAction): Promise<void> {
    switch (action.kind) {
      case 'kill':
        return this.host.signal('SIGKILL');
      case 'stop':
        return this.host.signal('SIGSTOP');
      case 'delay':
        return this.host.sleep(action.ms);
      case 'hold':
        return this.host.untilReleased();
      case 'throw':
        throw new Error(`the failpoint ${name} throws, as it was told to`);
    }
  }
}

/** The one of this process: a failpoint can be anywhere, and must cost its place nothing but a line. */
let ofThisProcess: Failpoints | undefined;

/** Says that the process is at the place `name`. To be written as a statement of its own: `await reached('...');`. */
export async function reached(name: string): Promise<void> {
  ofThisProcess ??= new Failpoints(process.env[VARIABLE] ?? '', thisProcess);
  return ofThisProcess.reached(name);
}

const thisProcess: FailpointHost = {
  // Written at once: after a SIGKILL nothing that waits in a stream would get out.
  say: (line) => writeSync(2, `${line}\n`),
  signal: async (name) => {
    process.kill(process.pid, name);
    // A signal takes effect a moment later; nothing of the next step may happen before.
    await new Promise((resolve) => setTimeout(resolve, SIGNAL_TAKES_EFFECT_MS));
  },
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  untilReleased: () => new Promise((resolve) => process.once('SIGUSR2', resolve)),
};

const SIGNAL_TAKES_EFFECT_MS = 50;

const FORM = /^([a-z][a-z.-]*)(?::([1-9]\d*))?(?:=(kill|stop|hold|throw|delay:(\d+)))?$/;

function parse(part: string): [string, Armed] {
  const [, name, nth = '1', action = 'kill', ms] = FORM.exec(part.trim()) ?? [];
  if (name === undefined) {
    throw new AppError(
      'config-invalid',
      `${VARIABLE} has ${JSON.stringify(part)}; write name[:nth][=kill|stop|hold|throw|delay:ms]`,
    );
  }
  return [name, { action: actionOf(action, ms), timesLeft: Number(nth) }];
}

function actionOf(text: string, ms: string | undefined): FailpointAction {
  if (ms !== undefined) return { kind: 'delay', ms: Number(ms) };
  return { kind: text as 'kill' | 'stop' | 'hold' | 'throw' };
}
