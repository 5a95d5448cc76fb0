import assert from 'node:assert/strict';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { SnapshardError, type SnapshardErrorCode } from 'snapshard';
import { expectNames } from './judge.js';
import type { Phase, Stretch } from './phase.js';
import type { Fault } from './refusal.js';
import type { Scene } from './scene.js';
import { templateOf } from './writing.js';

const script = fileURLToPath(new URL('../children/refused_environment.mjs', import.meta.url));

interface ToldError {
  readonly name: string;
  readonly code?: string;
  readonly message: string;
  readonly errno?: string;
  readonly syscall?: string;
  readonly path?: string;
  readonly stack: string;
  readonly cause?: ToldError;
}

type Message = { failed: ToldError } | { opened: unknown } | { saved: { engine: string; engineReason: string } };

/** As it was there. */
function rebuilt(told: ToldError): Error {
  const { name, code, message, cause } = told;
  const inner = cause === undefined ? undefined : rebuilt(cause);
  if (name !== 'SnapshardError') return new Error(told.stack, { cause: inner });
  return new SnapshardError(code as SnapshardErrorCode, message, { ...told, cause: inner });
}

async function answerOf(worker: Worker): Promise<Message> {
  const [message] = (await once(worker, 'message')) as [Message];
  return message;
}

class Environment {
  readonly #worker: Worker;
  readonly #ended: Promise<unknown>;

  constructor(scene: Scene, root: string) {
    const workerData = { root, options: scene.writerOptions };
    // It needs no loader of TypeScript.
    this.#worker = new Worker(script, { workerData, execArgv: [] });
    this.#ended = once(this.#worker, 'exit');
  }

  async open(): Promise<unknown> {
    const answer = await answerOf(this.#worker);
    if ('failed' in answer) throw rebuilt(answer.failed);
    return answer;
  }

  async goOn(): Promise<Message> {
    const answer = answerOf(this.#worker);
    this.#worker.postMessage('go');
    const message = await answer;
    await this.#ended;
    return message;
  }
}

function judge(failure: unknown, fault: Fault, roots: readonly string[]): void {
  // Loading has one code for all: the message says the rest.
  if (failure instanceof SnapshardError && failure.code === 'ERR_SNAPSHARD_NATIVE_MISSING') {
    assert(fault.call === 'pthread_create' && failure.message.includes('could not start a thread'), failure.message);
    return;
  }
  expectNames(failure, fault, roots);
}

/** Loading, and opening the first writer. */
const environment: Phase = {
  name: 'load and open',
  async prepare(scene): Promise<Stretch> {
    const root = scene.newRoot(await templateOf(scene));
    let first: Environment | undefined;
    return {
      roots: [root],
      run: () => (first = new Environment(scene, root)).open(),
      judge: (failure, fault) => { judge(failure, fault, [root]); },
      async check(came, fault) {
        let message = await first!.goOn();
        // A module that did not load is not loaded again in the same thread.
        if ('failure' in came && fault.call === 'pthread_create' && 'failed' in message) {
          const second = new Environment(scene, root);
          await second.open();
          message = await second.goOn();
        }
        if ('failed' in message) throw rebuilt(message.failed);
        const { engine, engineReason } = (message as { saved: { engine: string; engineReason: string } }).saved;
        const refusesRing = /^(io_uring|eventfd$)/.test(fault.call) && !fault.call.includes(':');
        if (engine === 'pwrite' && refusesRing && 'value' in came) assert.notEqual(engineReason, '', 'It does not say why there is no ring.');
      },
      async end() {
        await scene.expectSwept(root);
        scene.remove(root);
      },
    };
  },
};

export const environmentPhases: readonly Phase[] = [environment];
