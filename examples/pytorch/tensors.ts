import { open } from 'node:fs/promises';
import { CudaMemory, fileSource, type Checkpoint, type FileSource, type Tensor } from 'snapshard';
import type { TrainerTensor } from './messages.js';

/** The trainer's tensors, as this process reaches their memory. They belong to the trainer: between saves they change. */
export class TrainerTensors {
  readonly #tensors: [TrainerTensor, FileSource | CudaMemory][];

  constructor(tensors: readonly TrainerTensor[]) {
    this.#tensors = tensors.map((tensor) => [tensor, memoryOf(tensor)]);
  }

  sources(): Map<string, Tensor> {
    return new Map(
      this.#tensors.map(([{ name, dtype, shape, group }, data]) => [name, { dtype, shape, group, data }]),
    );
  }

  /**
   * Puts a checkpoint into the trainer's memory. Nothing is written if it has other tensors; but a run that was saved
   * before its first step has none of an optimizer.
   */
  async restore(checkpoint: Checkpoint): Promise<void> {
    const groups = new Set(Array.from(checkpoint.tensors.values(), ({ group }) => group));
    const wanted = this.#tensors.filter(([{ group }]) => groups.has(group));
    requireSame(wanted.map(([tensor]) => tensor), checkpoint);
    const onDevices = new Map<string, CudaMemory>();
    for (const [tensor, memory] of wanted) {
      if (memory instanceof CudaMemory) onDevices.set(tensor.name, memory);
      else await writeFile(checkpoint, tensor, memory);
    }
    await checkpoint.readInto(onDevices);
  }

  /** Closes what was opened; a save that still reads from it goes on. */
  dispose(): void {
    for (const [, memory] of this.#tensors) if (memory instanceof CudaMemory) memory.dispose();
  }
}

function memoryOf(tensor: TrainerTensor): FileSource | CudaMemory {
  const { offset, bytes } = tensor;
  if ('file' in tensor) return fileSource({ path: tensor.file, offset, bytes });
  const [handle, readyEvent] = [Buffer.from(tensor.handle, 'hex'), Buffer.from(tensor.event, 'hex')];
  return CudaMemory.fromIpc({ handle, offset, bytes, device: tensor.device, readyEvent });
}

/** Piece by piece, each compared with its digest before it is written. */
async function writeFile(checkpoint: Checkpoint, { name, offset }: TrainerTensor, memory: FileSource): Promise<void> {
  await using file = await open(memory.file as string, 'r+');
  let position = offset;
  for await (const piece of checkpoint.stream(name)) {
    await file.write(piece, 0, piece.length, position);
    position += piece.length;
  }
}

function requireSame(tensors: readonly TrainerTensor[], checkpoint: Checkpoint): void {
  const described = (tensor: { dtype: string; shape: readonly number[] } | undefined): string =>
    tensor === undefined ? 'nothing' : `${tensor.dtype} [${tensor.shape.join(', ')}]`;
  const own = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  for (const name of new Set([...own.keys(), ...checkpoint.tensors.keys()])) {
    const [wanted, found] = [described(own.get(name)), described(checkpoint.tensors.get(name))];
    if (wanted !== found) throw new Error(`${checkpoint.path} is of another model: ${name} is ${found}, not ${wanted}.`);
  }
}
