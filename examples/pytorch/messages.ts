import type { Socket } from 'node:net';
import type { Dtype } from 'snapshard';

export const protocolVersion = 1;

/** Where a tensor lies in the trainer: in a file of shared memory, or in an allocation of a GPU. */
export type Place = { file: string } | { device: number; handle: string; event: string };

export type TrainerTensor = Place & {
  name: string;
  group: string;
  dtype: Dtype;
  shape: number[];
  /** In the file or allocation. */
  offset: number;
  bytes: number;
};

export type FromTrainer =
  | { type: 'hello'; version: number; pid: number }
  | { type: 'tensors'; tensors: TrainerTensor[] }
  | { type: 'save'; step: number; state: string }
  | { type: 'restore' }
  | { type: 'bye'; error: string | null };

export type ToTrainer =
  | { type: 'staged'; step: number }
  | { type: 'published'; step: number; path: string; digest: string }
  | { type: 'failed'; step: number | null; code?: string; message: string }
  | { type: 'restored'; step: number | null; state: string }
  | { type: 'bye' };

/** What the trainer says, until it closes the connection or dies. Whoever stops listening may still answer. */
export async function* messagesFrom(socket: Socket): AsyncGenerator<FromTrainer> {
  const texts = socket.setEncoding('utf8').iterator({ destroyOnReturn: false }) as AsyncIterable<string>;
  let rest = '';
  try {
    for await (const text of texts) {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) yield JSON.parse(line) as FromTrainer;
    }
  } catch (error) {
    // What a process leaves unread when it dies becomes an error here.
    if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
  }
}

/** Does nothing once the trainer is gone. */
export function tell(socket: Socket, message: ToTrainer): void {
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
}
