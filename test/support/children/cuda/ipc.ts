/** The memory of a trainer in another process is saved and restored. */
import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { CheckpointWriter, CudaMemory, openCheckpoint } from 'snapshard';
import { MiB, randomBytes } from '../../bytes.js';
import { readTensors } from '../../read_back.js';
import { failureOf, runScenario, type ScenarioArgument } from '../../scenarios.js';

const bytes = 3 * MiB + 8;
const tightOptions = { stagingBytes: 3 * MiB, blockBytes: MiB };
const program = fileURLToPath(new URL('../../cuda_trainer.py', import.meta.url));

/** Another process, which does what it is told. */
class Trainer {
  readonly memory: Uint8Array;
  readonly event: Uint8Array;
  readonly #tell: (line: string) => Promise<unknown>;
  readonly #end: (signal?: NodeJS.Signals) => Promise<void>;

  private constructor(
    { memory, event }: { memory: string; event: string },
    tell: (line: string) => Promise<unknown>,
    end: (signal?: NodeJS.Signals) => Promise<void>,
  ) {
    this.memory = Buffer.from(memory, 'hex');
    this.event = Buffer.from(event, 'hex');
    this.#tell = tell;
    this.#end = end;
  }

  static async start(): Promise<Trainer> {
    // It has no tally of its own.
    const { CUDA_DOUBLE_TALLY: _, ...environment } = process.env;
    const child = spawn('python3', [program, String(bytes)], { env: environment, stdio: ['pipe', 'pipe', 'inherit'] });
    const answers = createInterface(child.stdout)[Symbol.asyncIterator]();
    const answer = async (): Promise<unknown> => {
      const line = await answers.next();
      if (line.done === true) throw new Error('the trainer has ended');
      return JSON.parse(line.value) as unknown;
    };
    const tell = (line: string): Promise<unknown> => {
      child.stdin.write(`${line}\n`);
      return answer();
    };
    const end = async (signal?: NodeJS.Signals): Promise<void> => {
      const ended = once(child, 'close');
      if (signal === undefined) child.stdin.end();
      else child.kill(signal);
      await ended;
    };
    return new Trainer((await answer()) as { memory: string; event: string }, tell, end);
  }

  tell(line: string): Promise<unknown> {
    return this.#tell(line);
  }

  end(signal?: NodeJS.Signals): Promise<void> {
    return this.#end(signal);
  }
}

const u8 = (data: CudaMemory | CudaMemory[], length: number) => ({ dtype: 'U8' as const, shape: [length], data });

/** As newer versions of PyTorch give it. */
const torchHandle = (handle: Uint8Array): Uint8Array => Uint8Array.of(2, 'c'.charCodeAt(0), ...handle);

async function saved({ root, double }: ScenarioArgument): Promise<void> {
  const trainer = await Trainer.start();
  const writer = await CheckpointWriter.open(root, tightOptions);
  if (double === true) await trainer.tell('hold 1');
  await trainer.tell('write 7');
  const whole = CudaMemory.fromIpc({ handle: trainer.memory, bytes, readyEvent: trainer.event });
  const part = CudaMemory.fromIpc({ handle: torchHandle(trainer.memory), offset: 100, bytes: 50, readyEvent: trainer.event });
  const save = writer.save({ step: 1, tensors: { whole: u8(whole, bytes), part: u8(part, 50) } });
  if (double === true) {
    const early = await Promise.race([save.staged.then(() => true), new Promise((resolve) => setTimeout(resolve, 100))]);
    assert.equal(early, undefined);
    await trainer.tell('hold 0');
  }
  await save.staged;
  await trainer.tell('write 9');
  const { path } = await save;
  const stored = readTensors(path);
  assert.ok(stored.get('whole')!.bytes.equals(Buffer.alloc(bytes, 7)));
  assert.ok(stored.get('part')!.bytes.equals(Buffer.alloc(50, 7)));
  await writer.close();
  whole.dispose();
  part.dispose();
  await trainer.tell('wait');
  await trainer.end();
}

async function restored({ root }: ScenarioArgument): Promise<void> {
  const contents = randomBytes(bytes);
  const writer = await CheckpointWriter.open(root, tightOptions);
  const { path } = await writer.save({ step: 1, tensors: { contents } });
  await writer.close();
  const trainer = await Trainer.start();
  await trainer.tell('write 1');
  const checkpoint = await openCheckpoint(path);
  using target = CudaMemory.fromIpc({ handle: trainer.memory, bytes, readyEvent: trainer.event });
  await checkpoint.readInto({ contents: target });
  assert.equal(await trainer.tell('sha256'), createHash('sha256').update(contents).digest('hex'));
  await checkpoint.close();
  await trainer.end();
}

/** Of a process that has ended, or that ends meanwhile. */
async function deadPeer({ root }: ScenarioArgument): Promise<unknown> {
  const writer = await CheckpointWriter.open(root, tightOptions);
  const dead = await Trainer.start();
  await dead.end('SIGKILL');
  const opened = await failureOf(() => CudaMemory.fromIpc({ handle: dead.memory, bytes }));
  const dying = await Trainer.start();
  await dying.tell('write 3');
  const memory = CudaMemory.fromIpc({ handle: dying.memory, bytes, readyEvent: dying.event });
  await dying.tell('wait');
  await dying.end('SIGKILL');
  const whileOpen = await failureOf(() => writer.save({ step: 1, tensors: { t: u8(memory, bytes) } }));
  await writer.save({ step: 2, tensors: { host: new Uint8Array(5) } });
  await writer.close();
  memory.dispose();
  return { opened, whileOpen };
}

await runScenario({ saved, restored, deadPeer });
