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

/** What the trainer says, until it closes the connection or dies. */
export async function* messagesFrom(socket: Socket): AsyncGenerator<FromTrainer> {
  let rest = '';
  for await (const text of socket.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const line of lines) yield JSON.parse(line) as FromTrainer;
  }
}

/** Does nothing once the trainer is gone. */
export function tell(socket: Socket, message: ToTrainer): void {
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
}
