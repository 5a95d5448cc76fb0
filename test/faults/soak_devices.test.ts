import { describe, expect, it, type TestContext } from 'vitest';
import { diskTrial } from '../soak/device/disk_trial.js';
import { filesTrial } from '../soak/device/files_trial.js';
import { fullTrial, shortages } from '../soak/device/full_trial.js';
import { silentTrial } from '../soak/device/silent_trial.js';
import { soak } from '../soak/devices.js';
import { formats, whyNot } from '../soak/power/disk.js';
import { plantSyncFault } from '../soak/power/sync_fault.js';
import { useRoot } from '../support/root.js';

const root = useRoot();

function skip(context: TestContext, reason: string | undefined): void {
  if (reason === undefined) return;
  console.warn(`skipped: ${reason}`);
  context.skip(reason);
}

describe('a file system that fails', () => {
  it.for(Array.from({ length: 12 }, (_, index) => 200 + index))('is told of with a code (seed %i)', async (seed, context) => {
    skip(context, soak.whyNot());
    await filesTrial(seed, root.path);
  });

  it('is found out where a sync that failed is not heard', async (context) => {
    skip(context, soak.whyNot());
    const deaf = await plantSyncFault(root.path, 'deaf');
    await expect(filesTrial(15, root.path, deaf)).rejects.toThrow('told as saved, though a call that matters had failed');
  });
});

it.for(formats.slice(0, 3).map(({ name }, index) => [name, 300 + index] as const))(
  'a disk that fails below %s loses nothing that was told as published (seed %i)',
  async ([name, seed], context) => {
    const format = formats.find((each) => each.name === name)!;
    skip(context, soak.whyNot() ?? whyNot(format));
    await diskTrial(seed, root.path, format);
  },
);

it.for(['ext4 without a journal full', 'ext4 out of inodes', 'btrfs at its quota'])('%s: says so wherever it is noticed', async (name, context) => {
  const shortage = shortages.find((each) => each.name === name)!;
  skip(context, soak.whyNot() ?? whyNot(shortage.format));
  expect(await fullTrial(2, root.path, shortage)).toContain('mkdirat');
});

it.for(['close', 'kill'] as const)('a device that never answers holds up nobody past the deadline (%s)', async (end, context) => {
  skip(context, soak.whyNot());
  expect(await silentTrial(7, root.path, end)).not.toBe('missed');
});
