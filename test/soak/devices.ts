import { spawnSync } from 'node:child_process';
import { diskTrial } from './device/disk_trial.js';
import { filesTrial } from './device/files_trial.js';
import { fullTrial, shortages } from './device/full_trial.js';
import { silentTrial } from './device/silent_trial.js';
import { formats, whyNot as whyNoDisk } from './power/disk.js';
import type { SoakClass } from './soak_class.js';

const able = formats.filter((format) => whyNoDisk(format) === undefined);

/** What goes wrong in a trial: by its number, so that any row of seeds has of all. */
export function deviceTrial(seed: number, folder: string): Promise<string> {
  const round = Math.floor(seed / 8);
  switch (seed % 8) {
    case 0:
    case 4:
      return diskTrial(seed, folder, able[round % able.length]!);
    case 2:
      return fullTrial(seed, folder, shortages[round % shortages.length]!);
    case 6:
      return silentTrial(seed, folder);
    default:
      return filesTrial(seed, folder);
  }
}

export const soak: SoakClass = {
  name: 'devices',
  about: 'devices and file systems that fail, fill up, stall, fall silent or go away: a coded error, and then on',
  whyNot: () => {
    const reason = whyNoDisk(formats[0]!);
    if (reason !== undefined) return reason;
    return spawnSync('pkg-config', ['--exists', 'fuse3']).status === 0 ? undefined : 'libfuse 3 is not installed';
  },
  async trial(seed, folder) {
    const said = await deviceTrial(seed, folder);
    if (process.env.SNAPSHARD_SOAK_TELL !== undefined) console.log(`device ${seed}: ${said}`);
  },
};
