import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TrialKind } from './trials.js';
import { formatBytes } from './units.js';

const program = fileURLToPath(new URL('../build/Release/cuda_copy_loop', import.meta.url));

export interface CopyOptions {
  device: number;
  direction: 'host' | 'within';
  /** Instead of those of a checkpoint. */
  bytes?: number;
  /** Of one call of the driver; default: all. */
  pieceBytes?: number;
}

/** Nothing but copies of device memory, to pinned host memory or within the device; the median pass of several. */
export function copyTrial({ device, direction, bytes: ownBytes, pieceBytes = 0 }: CopyOptions): TrialKind {
  return {
    missing: () => (existsSync(program) ? undefined : `${program} is not built: npm run build:native`),
    async run(_place, bytes, signal) {
      const options = { device, direction, bytes: ownBytes ?? bytes, piece: pieceBytes };
      const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]);
      const { stdout } = await promisify(execFile)(program, flags, { signal });
      const result = JSON.parse(stdout) as { seconds: number; cpuSeconds: number; bytes: number };
      return { ...result, how: pieceBytes > 0 ? `pieces of ${formatBytes(pieceBytes)}` : 'one piece' };
    },
  };
}
