import { describe, expect, it, type TestContext } from 'vitest';
import { formats, whyNot, type DiskFormat } from '../soak/power/disk.js';
import { plantSyncFault, type SyncFault } from '../soak/power/sync_fault.js';
import { powerTrial } from '../soak/power/trial.js';
import { useRoot } from '../support/root.js';

const root = useRoot();

function formatNamed(name: string, context: TestContext): DiskFormat {
  const format = formats.find((each) => each.name === name)!;
  const reason = whyNot(format);
  if (reason === undefined) return format;
  console.warn(`skipped: ${reason}`);
  return context.skip(reason);
}

describe('power that goes', () => {
  it.for(['ext4', 'xfs', 'btrfs'])('under %s loses nothing that was told as published', async (name, context) => {
    await powerTrial({ seed: 5, folder: root.path, format: formatNamed(name, context), images: 32 });
  });

  // What a journal makes durable with the next sync, whatever that is of, would not show.
  it.for([
    ['ext4', 'files', /is listed and damaged|is damaged/],
    ['ext4', 'root', /was told as published|may be/],
    ['ext4', 'late', /is listed and damaged|is damaged/],
    ['xfs', 'root', /was told as published|may be/],
    ['btrfs', 'root', /was told as published|may be/],
    ['btrfs', 'shards', /is listed and damaged|is damaged/],
  ] as const)('under %s, with a fault planted in how the writer syncs (%s), is found', async ([name, fault, finding], context) => {
    const format = formatNamed(name, context);
    await expect(trialWith(format, fault)).rejects.toThrow(finding);
  });
});

async function trialWith(format: DiskFormat, fault: SyncFault): Promise<void> {
  const environment = await plantSyncFault(root.path, fault);
  await powerTrial({ seed: 5, folder: root.path, format, images: 64, environment });
}
