/** One rank of a run: does what the messages of its parent say, several at a time, and replies to each. */
import { CheckpointWriter, SnapshardError, type SaveRequest } from 'snapshard';
import {
  abortMessage,
  patternOf,
  type RankCommand,
  type RankFailure,
  type RankPublished,
  type RankRequest,
} from '../ranks_wire.js';

const writers = new Map<number, CheckpointWriter>();

function writerOf(id: number): CheckpointWriter {
  const writer = writers.get(id);
  if (writer === undefined) throw new Error(`There is no writer ${id}`);
  return writer;
}

function toRequest({ tensors, mishap: _, ...rest }: RankRequest): SaveRequest & { buffers: ArrayBuffer[] } {
  const buffers: ArrayBuffer[] = [];
  const withData = tensors.map(([name, tensor]) => {
    const data = patternOf(name, tensor).buffer as ArrayBuffer;
    buffers.push(data);
    return [name, { ...tensor, data }] as const;
  });
  return { ...rest, tensors: withData, buffers };
}

async function save(writer: CheckpointWriter, request: RankRequest): Promise<RankPublished> {
  const { mishap } = request;
  const { buffers, ...toSave } = toRequest(request);
  const controller = new AbortController();
  const abort = (): void => {
    controller.abort(new Error(abortMessage));
  };
  if (mishap === 'abortedBefore') abort();
  const saving = writer.save(toSave, { signal: controller.signal });
  if (mishap === 'abortedAtOnce') abort();
  if (mishap === 'abortedWhenStaged') void saving.staged.then(abort);
  if (mishap === 'detached') structuredClone(buffers[0], { transfer: buffers.slice(0, 1) });
  if (mishap === 'abortedTooLate') {
    for await (const { phase } of saving.progress()) if (phase === 'publishing') break;
    abort();
  }
  const { path, digest } = await saving;
  return { path, digest };
}

async function obey(command: RankCommand): Promise<unknown> {
  switch (command.kind) {
    case 'open':
      writers.set(command.writer, await CheckpointWriter.open(command.root, command.options));
      return undefined;
    case 'save':
      return await save(writerOf(command.writer), command.request);
    case 'close': {
      const writer = writerOf(command.writer);
      writers.delete(command.writer);
      await writer.close();
      return undefined;
    }
    case 'reset': {
      const open = [...writers.values()];
      writers.clear();
      await Promise.all(open.map((writer) => writer.close({ abort: true })));
      return undefined;
    }
  }
}

function describe(error: unknown): RankFailure {
  if (!(error instanceof SnapshardError)) return { message: error instanceof Error ? error.message : String(error) };
  const { code, message, ranks, errno } = error;
  return { code, message, ...(ranks && { ranks }), ...(errno !== undefined && { errno }) };
}

process.on('message', ({ id, command }: { id: number; command: RankCommand }) => {
  obey(command).then(
    (value) => process.send?.({ id, reply: { value } }),
    (error: unknown) => process.send?.({ id, reply: { failure: describe(error) } }),
  );
});
process.on('disconnect', () => {
  process.exit();
});
