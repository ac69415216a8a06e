// Defaults that depend on the machine: state directories and the limit of waiting readers. Everything they look at comes
// in as an argument; only `machineFacts` asks the system.
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** What a default may depend on. */
export interface MachineFacts {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** Whether this user could create files in a directory, which need not exist yet. */
  readonly isWritable: (directory: string) => boolean;
  /** The soft limit of open files of this process. */
  readonly openFilesLimit: number;
}

const MANAGER_DIRECTORY = '/var/lib/clusterflux/manager';
const AGENT_DIRECTORY = '/var/lib/clusterflux/agent';

/** Descriptors that are left for everything but waiting readers. */
const RESERVED_DESCRIPTORS = 1_000;
/** Beyond this a manager's memory and the time to answer them all are the limit, and another replica is better. */
const MOST_WAITERS = 20_000;
/** Of the reserved descriptors, those for connections that do not wait: writers, heartbeats, probes. */
const OTHER_CONNECTIONS = 500;

/** Keys whose default is computed, with their values here. */
export function computedDefaults(facts: MachineFacts): Map<string, string | number> {
  // systemd names several directories with colons between; the first is the unit's own.
  const stateDirectory = facts.env['STATE_DIRECTORY']?.split(':')[0];
  const hasStateDirectory = stateDirectory !== undefined && stateDirectory !== '';
  const managerFallback = facts.isWritable(MANAGER_DIRECTORY)
    ? MANAGER_DIRECTORY
    : join(facts.home, '.clusterflux', 'manager');
  const waiters = Math.min(MOST_WAITERS, Math.max(1, facts.openFilesLimit - RESERVED_DESCRIPTORS));
  return new Map<string, string | number>([
    ['manager.data-dir', hasStateDirectory ? stateDirectory : managerFallback],
    // Never a home directory: a command typed by another user would be a second node.
    ['agent.state-dir', hasStateDirectory ? stateDirectory : AGENT_DIRECTORY],
    ['manager.max-waiters', waiters],
    ['manager.max-connections', waiters + OTHER_CONNECTIONS],
  ]);
}

export function machineFacts(env: NodeJS.ProcessEnv): MachineFacts {
  return { env, home: env['HOME'] ?? homedir(), isWritable, openFilesLimit: openFilesLimit() };
}

/** Asks the nearest directory above that exists, because the program creates what is missing. */
function isWritable(directory: string): boolean {
  try {
    if (!statSync(directory).isDirectory()) return false;
    accessSync(directory, constants.W_OK | constants.X_OK);
    return true;
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return isMissing && dirname(directory) !== directory && isWritable(dirname(directory));
  }
}

/** Node raises the soft limit to the hard one at start, so this is what can really be opened. */
function openFilesLimit(): number {
  try {
    const match = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return match === null ? MOST_WAITERS + RESERVED_DESCRIPTORS : Number(match[1]);
  } catch {
    // No /proc here (not Linux, or hidden): the limit is not known, so the constant decides.
    return MOST_WAITERS + RESERVED_DESCRIPTORS;
  }
}
