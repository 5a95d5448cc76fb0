/** What a file system, the way it is mounted, and the device below it do to the figures, in sentences. */
import { sizeIn } from '../cli/text.js';
import type { Trait } from './block_device.js';
import { optionValue, type Mount } from './mounts.js';

type Facts = Pick<Mount, 'fileSystem' | 'source' | 'options'>;

/** Nothing is said of what makes no difference. */
export function remarksOf(mount: Facts, traits: ReadonlySet<Trait> = new Set()): string[] {
  const { fileSystem } = mount;
  const own = byFileSystem.find(([pattern]) => pattern.test(fileSystem));
  return [...(own?.[1](mount) ?? []), ...anyMount(mount), ...deviceRemarks(traits)];
}

const when = (holds: boolean, sentence: string): string[] => (holds ? [sentence] : []);

const byFileSystem: [fileSystem: RegExp, remarks: (mount: Facts) => string[]][] = [
  [/^(tmpfs|ramfs)$/, memoryRemarks],
  [/^nfs4?$/, nfsRemarks],
  [/^fuse/, fuseRemarks],
  [/^overlay$/, overlayRemarks],
  [/^btrfs$/, btrfsRemarks],
  [/^ext[34]$/, extRemarks],
  [/^zfs$/, zfsRemarks],
  [/^lustre$/, lustreRemarks],
  [/^(9p|virtiofs)$/, hostRemarks],
  [/^(cifs|smb3)$/, smbRemarks],
];

function memoryRemarks({ fileSystem }: Facts): string[] {
  return [`${fileSystem} keeps files in memory: this measures memory, and nothing of it survives a restart.`];
}

function nfsRemarks({ options, source }: Facts): string[] {
  const version = optionValue(options, 'vers') ?? optionValue(options, 'nfsvers') ?? '';
  const connections = Number(optionValue(options, 'nconnect') ?? 1);
  const transport = optionValue(options, 'proto') === 'rdma' ? 'RDMA' : 'TCP';
  const over = connections === 1 ? `one ${transport} connection` : `${connections} ${transport} connections`;
  const isSoft = options.includes('soft') || options.includes('softerr');
  return [
    `NFS ${version} from ${source}, over ${over}.`,
    ...when(
      connections === 1 && transport === 'TCP',
      'One connection is often less than a fast network carries: try the mount option nconnect=8.',
    ),
    ...transferRemark(options),
    ...when(isSoft, 'The mount is soft: a server that is slow to answer fails a save; hard mounts wait for it.'),
    ...when(options.includes('noac'), 'With noac each write waits for the server, and so does each look at a file.'),
    'Durable means that the server said so: an export with the option async says it before its disk has the data ' +
      '(`exportfs -v` on the server tells).',
  ];
}

const goodTransferBytes = 1024 * 1024;

/** Servers and clients of today agree on 1 MiB; less was asked for, or the server allows no more. */
function transferRemark(options: readonly string[]): string[] {
  const small = ['wsize', 'rsize'].flatMap((name) => {
    const bytes = Number(optionValue(options, name));
    return bytes < goodTransferBytes ? [`${name}=${bytes}`] : [];
  });
  if (small.length === 0) return [];
  const most = sizeIn(Number(small[0]!.split('=')[1]));
  return [`With ${small.join(' and ')} a request carries ${most} at most: ask for 1048576, if the server allows it.`];
}

const objectStores = /s3|gcs|goofys|rclone|blob|juicefs/i;

function fuseRemarks({ fileSystem, source }: Facts): string[] {
  const server = fileSystem.includes('.') ? fileSystem.slice(fileSystem.indexOf('.') + 1) : source;
  const objects =
    'An object store may have no rename, or copy what is renamed: publishing then takes as long as writing.';
  return [
    `FUSE (${server}): a process in user space handles each request, and durable means that this process said so. ` +
      'Writes go through threads, not io_uring.',
    ...when(objectStores.test(server), objects),
  ];
}

function overlayRemarks({ options }: Facts): string[] {
  const upper = optionValue(options, 'upperdir');
  const where = upper === undefined ? '' : ` (${upper})`;
  return [
    `overlay: what is measured is the file system of its upper layer${where}. In a container that is often the ` +
      "host's system disk, and gone with the container: mount a volume.",
    ...when(options.includes('volatile'), 'The overlay is volatile: nothing is synced, and no save is durable.'),
  ];
}

function btrfsRemarks({ options }: Facts): string[] {
  const compression = optionValue(options, 'compress-force') ?? optionValue(options, 'compress') ?? 'no';
  const checks = !options.includes('nodatasum') && !options.includes('nodatacow');
  const why = checks ? 'has checksums, for which it copies direct writes: they are' : 'is';
  return [
    `btrfs ${why} written through the page cache, at more CPU time per GiB.`,
    ...when(
      compression !== 'no',
      `btrfs compresses (${compression}): that costs CPU time, and weights and moments shrink by a quarter at best.`,
    ),
  ];
}

function extRemarks({ options }: Facts): string[] {
  if (optionValue(options, 'data') !== 'journal') return [];
  return ['With data=journal all data is written twice, and never directly: use data=ordered for checkpoints.'];
}

function zfsRemarks({ source }: Facts): string[] {
  const command = `zfs get sync,compression,recordsize ${source}`;
  return [`ZFS has its settings elsewhere: \`${command}\`. With sync=disabled no save is durable.`];
}

function lustreRemarks(): string[] {
  return [
    'Lustre: one file is as fast as the targets that it is striped over; `lfs getstripe` tells how many these are.',
  ];
}

function hostRemarks({ fileSystem }: Facts): string[] {
  return [
    `${fileSystem}: a folder of the host of this virtual machine, whose own memory may answer instead of its disk.`,
  ];
}

function smbRemarks({ source }: Facts): string[] {
  return [`SMB from ${source}: durable means that the server said so.`];
}

function anyMount({ fileSystem, options }: Facts): string[] {
  const storage = fileSystem.startsWith('nfs') ? 'the server' : 'the disk';
  const sync = `The mount option sync makes each write wait until ${storage} has it, one after the other.`;
  const unsafe = ['nobarrier', 'barrier=0', 'fsync_mode=nobarrier'].filter((option) => options.includes(option));
  const barrier = unsafe.map(
    (option) =>
      `With ${option} a sync does not reach the memory of the disk: after a power loss a durable save may be gone.`,
  );
  return [...when(options.includes('sync'), sync), ...barrier];
}

const deviceSentences: Record<Trait, string> = {
  memory: 'The device is memory: this measures memory.',
  network: 'The disk is reached over a network, which may be the limit.',
  'cloud volume':
    'The disk is a volume of a cloud: it has the rate that was paid for, which bursts may hide (--interval shows).',
  virtual: 'The disk is virtual: others share what is below it, and durable means that the host said so.',
  spinning: 'The disk spins: several files written at once make it seek.',
  encrypted: 'The disk is encrypted by this machine, which costs CPU time that is not counted as ours.',
  parity: 'The RAID keeps parity: writes that do not fill a stripe must read it first.',
  loop: 'A loop device is a file on another file system: this measures both.',
  'cached loop': 'The loop device goes through the page cache a second time (losetup --direct-io=on).',
};

function deviceRemarks(traits: ReadonlySet<Trait>): string[] {
  return Object.entries(deviceSentences).flatMap(([trait, text]) => (traits.has(trait as Trait) ? [text] : []));
}
