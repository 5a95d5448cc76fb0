/** Reads a checkpoint in one way, and tells by how many bytes the process grew beyond what it asked for. */
import { readFileSync } from 'node:fs';
import { openCheckpoint } from 'snapshard';
import { childArgument } from '../child.js';
import { KiB, MiB } from '../bytes.js';

export type Way = 'readInto' | 'columns' | 'stream' | 'verify';

const stagingBytes = 16 * MiB;
const { path, way, bytes } = childArgument() as { path: string; way: Way; bytes: number };

function peakBytes(): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * KiB;
}

await using checkpoint = await openCheckpoint(path, { stagingBytes, blockBytes: 2 * MiB });
const target = new Uint8Array(new SharedArrayBuffer(way === 'readInto' ? bytes : bytes / 8)).fill(1);
const before = peakBytes();
if (way === 'readInto') await checkpoint.readInto({ tensor: target });
if (way === 'columns') {
  await checkpoint.readInto({ tensor: { data: target, origin: [0, 7], shape: [bytes / 1024, 128] } });
}
if (way === 'stream') {
  let seen = 0;
  for await (const piece of checkpoint.stream('tensor', { chunkBytes: 4 * MiB })) {
    seen += piece.length;
    globalThis.gc?.();
  }
  if (seen !== bytes) throw new Error(`${seen} bytes of ${bytes}`);
}
if (way === 'verify' && (await checkpoint.verify()).damaged.length > 0) throw new Error('It is damaged.');
process.send?.(peakBytes() - before - stagingBytes);
process.disconnect();
