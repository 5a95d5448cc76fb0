import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** What run.sh has made ready: the folder of all exports, and the network of each client. */
const shared = '/mnt/shared';
const gracePeriod = ['--grace-time', '10', '--lease-time', '10'];

export type Client = 1 | 2;
export type Version = '4.2' | '3';

export function run(program: string, ...options: string[]): string {
  return execFileSync(program, options, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** To the clients it is a machine that went away, and came back. */
export const server = {
  stop(): void {
    run('rpc.nfsd', '0');
  },
  start(): void {
    run('rpc.nfsd', ...gracePeriod, '8');
  },
};

/** How fast the network of a client is, both ways, so that there is a middle of things. */
export function slowDown(client: Client, megabitPerSecond: number): void {
  const options = ['root', 'netem', 'rate', `${megabitPerSecond}mbit`, 'delay', '20ms', 'limit', '100000'];
  run('tc', '-n', `client${client}`, 'qdisc', 'replace', 'dev', 'eth0', ...options);
  run('tc', 'qdisc', 'replace', 'dev', `server${client}`, ...options);
}

export function fullSpeed(client: Client): void {
  run('tc', '-n', `client${client}`, 'qdisc', 'del', 'dev', 'eth0', 'root');
  run('tc', 'qdisc', 'del', 'dev', `server${client}`, 'root');
}

export interface ExportOptions {
  /** Of the memory behind it. Default 512 MiB. */
  readonly bytes?: number;
  /** As of exports(5). */
  readonly options?: readonly string[];
}

let exports = 0;
let mounts = 0;

/** A folder of its own file system, which the server exports, and its mounts. */
export class Export {
  /** As the server has it: no client in between. */
  readonly path: string;
  readonly #name: string;
  readonly #mounts: string[] = [];

  constructor({ bytes = 512 * 2 ** 20, options = ['no_root_squash'] }: ExportOptions = {}) {
    exports += 1;
    this.#name = `export-${exports}`;
    this.path = join(shared, this.#name);
    mkdirSync(this.path);
    run('mount', '-t', 'tmpfs', '-o', `size=${bytes},mode=0755`, 'tmpfs', this.path);
    // What is in memory has no identity of its own.
    const all = ['rw', 'insecure', 'no_subtree_check', `fsid=${exports}`, ...options];
    run('exportfs', '-o', all.join(','), `10.77.0.0/16:${this.path}`);
  }

  /** @returns the mount point */
  mount(client: Client, version: Version, ...options: string[]): string {
    mounts += 1;
    const place = `/mnt/${mounts}`;
    mkdirSync(place);
    const path = version === '3' ? this.path : `/${this.#name}`;
    const all = [`vers=${version}`, ...options].join(',');
    // NFS 4 tells clients apart by the name of their host.
    const command = `hostname client${client} && mount -t nfs -o ${all} 10.77.${client}.1:${path} ${place}`;
    run('nsenter', `--net=/run/netns/client${client}`, 'unshare', '--uts', 'bash', '-c', command);
    this.#mounts.push(place);
    return place;
  }

  remove(): void {
    for (const place of this.#mounts.splice(0)) run('umount', '--force', '--lazy', place);
    run('exportfs', '-u', `10.77.0.0/16:${this.path}`);
    run('umount', '--lazy', this.path);
  }
}
