import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckpointWriter, type Published } from 'snapshard';
import { Session, type SessionOptions } from './session.js';

export interface SuperviseOptions {
  /** Where the checkpoints go: an existing directory. */
  root: string;
  /** The trainer's program and its arguments. */
  command: readonly [program: string, ...options: string[]];
  /** How often it may be started again. */
  restarts: number;
  /** The trainer waits for no more than a copy within its GPU, where there is room for one. */
  deviceSnapshot?: boolean;
  print: (line: string) => void;
  onPublished?: (published: Published, pid: number) => void;
}

/** A dead trainer's children may hold its end of the connection. */
const grace_ms = 5_000;

/** Runs a trainer, saves and restores as it asks, and starts it again when it dies. Throws when it has died too often. */
export async function supervise(options: SuperviseOptions): Promise<void> {
  const { root, command, restarts, deviceSnapshot = false, print, onPublished } = options;
  const folder = await mkdtemp(join(tmpdir(), 'snapshard-trainer-'));
  const writer = await CheckpointWriter.open(root);
  try {
    for (let left = restarts; ; left -= 1) {
      const failure = await runTrainer(command, join(folder, 'socket'), {
        root,
        writer,
        deviceSnapshot,
        onPublished: onPublished ?? (() => undefined),
      });
      if (failure === undefined) return;
      if (left === 0) throw new Error(`The trainer ended with ${failure}`);
      print(`The trainer ended with ${failure}`);
      print('It is started again.');
    }
  } finally {
    await writer.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function runTrainer(
  [program, ...options]: SuperviseOptions['command'],
  path: string,
  session: SessionOptions,
): Promise<string | undefined> {
  const sockets: Socket[] = [];
  const sessions: Promise<string | undefined>[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    sessions.push(new Session(socket, session).run());
  }).listen(path);
  try {
    await once(server, 'listening');
    const trainer = spawn(program, options, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, SNAPSHARD_SOCKET: path },
    });
    const [code, signal] = (await once(trainer, 'exit')) as [number | null, string | null];
    setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, grace_ms).unref();
    const reasons = (await Promise.all(sessions)).filter((reason) => reason !== undefined);
    await removeCounters(trainer.pid!);
    if (code === 0 && reasons.length === 0) return undefined;
    return [signal ?? `exit code ${code ?? ''}`, ...reasons].join(': ');
  } finally {
    server.close();
  }
}

/** PyTorch counts the readers of CUDA tensors in files of shared memory, which stay where a process was killed. */
async function removeCounters(pid: number): Promise<void> {
  const names = await readdir('/dev/shm');
  for (const name of names.filter((file) => file.startsWith(`torch_${pid}_`))) await rm(join('/dev/shm', name));
}
