import { SingleBar } from 'cli-progress';
import type { Save } from 'snapshard';

/** A progress bar for one save on a terminal, nothing elsewhere. Ends with the save, whichever way that ends. */
export async function showProgress(save: Save, label: string): Promise<void> {
  if (!process.stdout.isTTY) return;
  const bar = new SingleBar({
    format: `   ${label} [{bar}] {percentage}% of {megabytes} MB, {phase}`,
    barsize: 32,
    hideCursor: true,
    clearOnComplete: true,
  });
  bar.start(1, 0, { megabytes: '…', phase: 'staging' });
  try {
    for await (const { phase, writtenBytes, totalBytes } of save.progress()) {
      bar.setTotal(totalBytes);
      bar.update(writtenBytes, { megabytes: Math.round(totalBytes / 1e6), phase });
    }
  } finally {
    bar.stop();
  }
}
