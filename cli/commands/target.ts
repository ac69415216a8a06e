// Which managers and which cluster an operator command is about.
import type { Command } from 'commander';
import { checkName, encodeName } from '../../shared/api/names.js';
import type { AgentConfig, Config } from '../../shared/config/config.js';
import { readSecret } from '../../shared/config/secret-file.js';
import { AppError } from '../../shared/errors/app-error.js';
import { certificateFiles, readCertificates } from '../../shared/security/certificates.js';
import { createApiClient, type ApiClient } from '../api-client.js';
import { loadFor } from '../config-flags.js';
import type { Context } from '../context.js';

export interface Target {
  readonly config: Config;
  readonly api: ApiClient;
  /** Of --cluster, else agent.cluster. */
  readonly cluster: string;
  /** True where --cluster was given. */
  readonly isClusterGiven: boolean;
}

/** --manager beats agent.endpoints, --cluster beats agent.cluster. Throws AppError `config-invalid`, `usage`, `name-invalid`. */
export async function targetOf(context: Context, command: Command): Promise<Target> {
  const { config } = loadFor(context, command, []);
  const { manager, timeoutMs } = context.options;
  if (manager !== undefined && !isHttpUrl(manager)) {
    throw new AppError(
      'usage',
      `--manager takes a URL such as http://127.0.0.1:8000, got "${manager}"`,
    );
  }
  const { certificates, token } = await readCredentials(config.agent, context.options.tokenFile);
  const api = createApiClient({
    endpoints: manager === undefined ? config.agent.endpoints : [manager],
    timeoutMs,
    tls: certificates,
    token,
  });
  const given = command.opts<{ cluster?: string }>().cluster;
  const cluster = checkName(given ?? config.agent.cluster, 'cluster name');
  return { config, api, cluster, isClusterGiven: given !== undefined };
}

/** `/clusters/{name}` and what follows. */
export function clusterPath(cluster: string, rest = ''): string {
  return `/clusters/${encodeName(cluster)}${rest}`;
}

/** A node's number as typed. Throws AppError `usage`. */
export function nodeIdOf(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) {
    throw new AppError(
      'usage',
      `a node is named by its number (see \`clusterflux nodes list\`), got "${text}"`,
    );
  }
  return Number(text);
}

/** A version as typed. Throws AppError `version-invalid`. */
export function versionOf(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) {
    throw new AppError('version-invalid', `a version is a whole number from 1, got "${text}"`);
  }
  return Number(text);
}

/** Refuses without --yes. Throws AppError `usage` that says what would be done. */
export function assertYes(command: Command, what: string): void {
  if (command.opts<{ yes?: true }>().yes === true) return;
  throw new AppError('usage', `this ${what}; add --yes to do it`);
}

/** Checked as an agent's: what is expired or does not fit is said here, instead of failing in the handshake. */
async function readCredentials(agent: AgentConfig, tokenFlag: string | undefined) {
  const certificates = await readCertificates(certificateFiles('agent', agent), Date.now());
  const [key, path] =
    tokenFlag === undefined ? ['agent.token-file', agent.tokenFile] : ['--token-file', tokenFlag];
  return {
    certificates,
    token: path === undefined ? undefined : await readSecret(key, path),
  } as const;
}

function isHttpUrl(text: string): boolean {
  return /^https?:$/.test(URL.canParse(text) ? new URL(text).protocol : '');
}
