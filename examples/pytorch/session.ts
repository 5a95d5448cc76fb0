import type { Socket } from 'node:net';
import { latestCheckpoint, listCheckpoints, SnapshardError, type CheckpointWriter, type Published } from 'snapshard';
import { messagesFrom, protocolVersion, tell, type FromTrainer } from './messages.js';
import { TrainerTensors } from './tensors.js';

const stateFile = 'trainer.json';
const closedSilently = 'It closed the connection without a word.';

export interface SessionOptions {
  /** Where the checkpoints go, and where the newest is looked for. */
  root: string;
  writer: CheckpointWriter;
  deviceSnapshot: boolean;
  onPublished: (published: Published, pid: number) => void;
}

/** One trainer's connection: saves and restores as it asks. */
export class Session {
  readonly #socket: Socket;
  readonly #options: SessionOptions;
  readonly #unstaged = new Set<AbortController>();
  readonly #work = new Set<Promise<void>>();
  #tensors = new TrainerTensors([]);
  #pid = 0;

  constructor(socket: Socket, options: SessionOptions) {
    // It ends the loop over the messages.
    this.#socket = socket.on('error', () => undefined);
    this.#options = options;
  }

  /** Ends when the trainer has gone and its saves have ended. What went wrong, as a sentence; else `undefined`. */
  async run(): Promise<string | undefined> {
    try {
      return await this.#serve();
    } catch (error) {
      // An answer may be written before it is seen that the trainer is gone: the system's error says no more than that.
      return error === this.#socket.errored ? closedSilently : this.#fail(null, error);
    } finally {
      // Of a save that has not been staged the trainer's memory may be gone; one that has been needs it no more.
      for (const save of this.#unstaged) save.abort(new Error('The trainer ended before its tensors had been read.'));
      await this.#settled();
      this.#tensors.dispose();
      // What the trainer still says is thrown away, so that it comes to read the answer.
      this.#socket.end().resume();
    }
  }

  async #serve(): Promise<string | undefined> {
    for await (const message of messagesFrom(this.#socket)) {
      if (message.type === 'bye') {
        if (message.error !== null) return message.error;
        await this.#settled();
        tell(this.#socket, { type: 'bye' });
        return undefined;
      }
      this.#take(message);
    }
    return closedSilently;
  }

  #take(message: Exclude<FromTrainer, { type: 'bye' }>): void {
    switch (message.type) {
      case 'hello':
        requireVersion(message.version);
        this.#pid = message.pid;
        return;
      case 'tensors':
        this.#tensors.dispose();
        this.#tensors = new TrainerTensors(message.tensors);
        return;
      case 'save':
        this.#begin(message.step, this.#save(message.step, message.state));
        return;
      case 'restore':
        this.#begin(null, this.#restore());
        return;
      default:
        throw new Error(`Expected a message of the protocol but received ${JSON.stringify(message)}.`);
    }
  }

  /** Goes on listening meanwhile: that is how the death of a trainer is noticed. */
  #begin(step: number | null, task: Promise<void>): void {
    const work = task
      .catch((error: unknown) => void this.#fail(step, error))
      .finally(() => this.#work.delete(work));
    this.#work.add(work);
  }

  async #save(step: number, state: string): Promise<void> {
    const giveUp = new AbortController();
    this.#unstaged.add(giveUp);
    try {
      // A trainer that went back to an earlier checkpoint comes by the same steps again.
      const request = { step, tensors: this.#tensors.sources(), files: { [stateFile]: state }, overwrite: true };
      const { writer, deviceSnapshot } = this.#options;
      const save = writer.save({ ...request, deviceSnapshot }, { signal: giveUp.signal });
      await save.staged;
      this.#unstaged.delete(giveUp);
      tell(this.#socket, { type: 'staged', step });
      const published = await save;
      tell(this.#socket, { type: 'published', step, path: published.path, digest: published.digest });
      this.#options.onPublished(published, this.#pid);
    } finally {
      this.#unstaged.delete(giveUp);
    }
  }

  async #restore(): Promise<void> {
    if ((await listCheckpoints(this.#options.root)).length === 0) {
      tell(this.#socket, { type: 'restored', step: null, state: '' });
      return;
    }
    await using checkpoint = await latestCheckpoint(this.#options.root);
    await this.#tensors.restore(checkpoint);
    const state = Buffer.from(await checkpoint.file(stateFile)).toString();
    tell(this.#socket, { type: 'restored', step: checkpoint.step ?? 0, state });
  }

  #fail(step: number | null, error: unknown): string {
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof SnapshardError ? { code: error.code } : {};
    tell(this.#socket, { type: 'failed', step, ...code, message });
    return message;
  }

  async #settled(): Promise<void> {
    await Promise.all(this.#work);
  }
}

function requireVersion(version: number): void {
  if (version === protocolVersion) return;
  throw new Error(`Expected protocol version ${protocolVersion} but received ${version}.`);
}
