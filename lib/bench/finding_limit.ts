/** What keeps a save, or a restore, from being faster. */
import { isNetwork, medianOf, ownRow, rateOf, ratioToLimit, traceOf } from './finding_facts.js';
import type { Finding, MeasuredResult } from './findings.js';
import { limitOf } from './report/figures.js';
import { digits, shareIn, timeIn } from './report/units.js';
import type { Row } from './result.js';

/** As near to what a raw loop gets as two runs of that loop are to each other. */
const atLimit = 0.92;
/** Of the whole save, spent on syncing what had been written. */
const syncShareMin = 0.2;
/** Of the time until all was written, in which a stager thread copied or hashed. */
const busyShareMin = 0.85;
/** Of that, spent on copying alone, where memory is what is slow. */
const copyShareMin = 0.75;
/** Of saves and restores, below which what each of them costs outweighs the rest. */
const shortSeconds = 0.5;

export const saveFinding: Finding = (result) => {
  const row = ownRow(result, 'save');
  if (row === undefined) return undefined;
  const causes: Cause[] = [device, short, pageCache, sync, threads, engine, unknown];
  for (const cause of causes) {
    const sentence = cause(row, result);
    if (sentence !== undefined) return sentence;
  }
  return undefined;
};

type Cause = (row: Row, result: MeasuredResult) => string | undefined;

const device: Cause = (row, result) => {
  const ratio = ratioToLimit(row, result);
  if (ratio === undefined || ratio < atLimit) return undefined;
  const limit = limitOf(result.rows, 'save')!;
  const what = isNetwork(result) ? 'The path to the server' : 'The device';
  const change = isNetwork(result)
    ? 'more connections (nconnect), a faster network or more servers make saves faster'
    : 'only a faster device, or several side by side, makes saves faster';
  return (
    `${what} is the limit: saves reach ${digits(rateOf(row))} GB/s, ${shareIn(ratio)} of the ${digits(rateOf(limit))} GB/s ` +
    `of ${limit.label}; ${change}.`
  );
};

/** What every save costs, whatever its size: files made, manifests, syncs, a rename. */
const short: Cause = (row) => {
  const seconds = medianOf(row, (sample) => sample.seconds);
  if (seconds === undefined || seconds >= shortSeconds) return undefined;
  return (
    `Saves took ${timeIn(seconds)} each, too short to tell what limits this target: much of that is what any save costs, ` +
    'whatever its size; measure with more --bytes.'
  );
};

const pageCache: Cause = (row) => {
  if (!row.how.includes('direct no')) return undefined;
  const reason = /\((.+)\)$/.exec(row.how)?.[1];
  return (
    `Saves go through the page cache${reason === undefined ? '' : ` (${reason})`}, which costs a copy and stalls when the kernel ` +
    `writes it back; put checkpoints on a file system that takes direct writes (ext4, XFS, NFS), and do not pass --no-direct.`
  );
};

/** Of NFS, the server's COMMIT; of a disk, its own cache. */
const sync: Cause = (row, result) => {
  const share = medianOf(row, ({ seconds, writtenSeconds }) => writtenSeconds === undefined ? undefined : 1 - writtenSeconds / seconds);
  if (share === undefined || share < syncShareMin) return undefined;
  const [what, change] = isNetwork(result)
    ? ["the server's COMMIT", 'a server with a faster log device or a write cache that survives power loss helps, and so do larger blocks (--block 16MiB)']
    : ['flushing the cache of the device', 'a device with power-loss protection answers at once'];
  return `Syncing takes ${shareIn(share)} of a save, after the last byte was taken: ${what} is the limit; ${change}.`;
};

/** The stager threads have no time left: the processor is the limit, or the memory that they copy from. */
const threads: Cause = (row, result) => {
  const work = traceOf(row);
  if (work === undefined || work.busyShare < busyShareMin) return undefined;
  const { cores } = result.machine;
  const asked = Number(result.settings.writer.threads);
  const more = asked < cores ? `give them company: --threads ${Math.min(cores, 2 * asked)}` : `all ${cores} cores are taken already`;
  if (work.copyShare >= copyShareMin) {
    return (
      `Copying memory is the limit: the ${asked} stager threads were busy ${shareIn(work.busyShare)} of the time, ` +
      `${shareIn(work.copyShare)} of it copying; ${more}, or save leases in place (\`inPlace\`), which copies nothing.`
    );
  }
  return (
    `The processor is the limit: the ${asked} stager threads copied and hashed ${shareIn(work.busyShare)} of the time, ` +
    `and the device waited for them; ${more}.`
  );
};

const engine: Cause = (row) => {
  const reason = /^pwrite, direct \w+ \((.+)\)$/.exec(row.how)?.[1];
  if (reason === undefined) return undefined;
  return `Writes go out by threads and pwrite, not io_uring: ${reason}; with io_uring more are in flight for less of the processor.`;
};

const unknown: Cause = (row, result) => {
  const ratio = ratioToLimit(row, result);
  if (ratio === undefined) return undefined;
  return (
    `Saves reach ${digits(rateOf(row))} GB/s, ${shareIn(ratio)} of what the device can do, with time to spare on the ` +
    `stager threads: another block size or depth may suit it better, which snapshard tune ${result.target.path} finds.`
  );
};

export const restoreFinding: Finding = (result) => {
  const row = ownRow(result, 'restore cold');
  const ratio = row && ratioToLimit(row, result);
  if (row === undefined || ratio === undefined) return undefined;
  const limit = limitOf(result.rows, 'restore cold')!;
  if (ratio < atLimit && (medianOf(row, ({ seconds }) => seconds) ?? 0) < shortSeconds) return undefined;
  if (ratio >= atLimit) {
    return `Restores are at the limit of the device: ${digits(rateOf(row))} GB/s, ${shareIn(ratio)} of ${limit.label}.`;
  }
  return (
    `Restores reach ${digits(rateOf(row))} GB/s, ${shareIn(ratio)} of the ${digits(rateOf(limit))} GB/s of ${limit.label}: ` +
    `more threads or a greater depth may help (--threads, --depth).`
  );
};
