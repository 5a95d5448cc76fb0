/** What a block device is made of, as sysfs tells: through partitions, loop devices, device-mapper and RAID. */
import { existsSync, readFileSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** What about a device bears on the figures. */
export type Trait =
  'spinning' | 'virtual' | 'network' | 'cloud volume' | 'memory' | 'encrypted' | 'parity' | 'loop' | 'cached loop';

export interface BlockDevice {
  readonly name: string;
  /** What it says it is; or what the kernel makes it of. */
  readonly model?: string;
  readonly traits: readonly Trait[];
  /** What it is made of, where it is made of others. */
  readonly parts: readonly BlockDevice[];
}

/** As in `stat`: the numbers of the device in one. */
export function deviceNumber(device: number): string {
  const major = Math.floor(device / 2 ** 8) % 2 ** 12;
  const minor = (device % 2 ** 8) + Math.floor(device / 2 ** 20) * 2 ** 8;
  return `${major}:${minor}`;
}

/**
 * `undefined` where there is no such device, or sysfs does not tell.
 * @param number such as `259:1`
 * @param sysfs where sysfs is mounted
 */
export function blockDevice(number: string, sysfs = '/sys'): BlockDevice | undefined {
  const link = join(sysfs, 'dev/block', number);
  if (!existsSync(link)) return undefined;
  const folder = realpathSync(link);
  return describe(existsSync(join(folder, 'partition')) ? dirname(folder) : folder, sysfs);
}

/** `md0 (raid0) of nvme0n1 (Samsung SSD 990 PRO), nvme1n1 (Samsung SSD 990 PRO)` */
export function deviceText({ name, model, parts }: BlockDevice): string {
  const own = model === undefined ? name : `${name} (${model})`;
  return parts.length === 0 ? own : `${own} of ${parts.map(deviceText).join(', ')}`;
}

/** Of a device and all that it is made of. */
export function allTraits({ traits, parts }: BlockDevice): Set<Trait> {
  return new Set([...traits, ...parts.flatMap((part) => [...allTraits(part)])]);
}

function describe(folder: string, sysfs: string): BlockDevice {
  const name = basename(folder);
  const read = (file: string): string | undefined => readLine(join(folder, file));
  const backing = read('loop/backing_file');
  const model = backing ?? mapperModel(read) ?? read('md/level') ?? read('device/model') ?? plainModel(folder);
  const parts = backing === undefined ? slaves(folder, sysfs) : fileDevice(backing, sysfs);
  return { name, ...(model === undefined ? {} : { model }), traits: traitsOf(folder, read, model), parts };
}

type Read = (file: string) => string | undefined;

function traitsOf(folder: string, read: Read, model = ''): Trait[] {
  const name = basename(folder);
  const isVirtual = /\/(virtio|vbd-|vmbus)/i.test(folder) || /QEMU|VMware|Virtual/i.test(model);
  const found: [Trait, boolean][] = [
    ['memory', /^(zram|ram|pmem)\d/.test(name)],
    ['network', /^(nbd|rbd|drbd)\d/.test(name) || folder.includes('/session') || isFabric(read)],
    ['cloud volume', /Elastic Block Store|nvme_card-pd|PersistentDisk|Hyperdisk/i.test(model)],
    ['virtual', isVirtual],
    ['spinning', read('queue/rotational') === '1' && !isVirtual && /\/(ata|host)\d/.test(folder)],
    ['encrypted', read('dm/uuid')?.startsWith('CRYPT-') === true],
    ['parity', /^raid[456]$/.test(read('md/level') ?? '')],
    ['loop', read('loop/backing_file') !== undefined],
    ['cached loop', read('loop/dio') === '0'],
  ];
  return found.flatMap(([trait, there]) => (there ? [trait] : []));
}

/** NVMe over something else than PCIe. */
function isFabric(read: Read): boolean {
  return ['tcp', 'rdma', 'fc'].includes(read('device/transport') ?? read('device/device/transport') ?? '');
}

function mapperModel(read: Read): string | undefined {
  const name = read('dm/name');
  if (name === undefined) return undefined;
  const kind = /^([A-Za-z]+)-/.exec(read('dm/uuid') ?? '')?.[1];
  return kind === undefined ? name : `${kind} ${name}`;
}

function plainModel(folder: string): string | undefined {
  return folder.includes('/virtio') ? 'virtio' : undefined;
}

function slaves(folder: string, sysfs: string): BlockDevice[] {
  return entries(join(folder, 'slaves'))
    .sort()
    .flatMap((slave) => {
      const number = readLine(join(folder, 'slaves', slave, 'dev'));
      return number === undefined ? [] : (blockDevice(number, sysfs) ?? []);
    });
}

/** The device that a loop device's file lies on, which another namespace of mounts may hide. */
function fileDevice(file: string, sysfs: string): BlockDevice[] {
  try {
    return [blockDevice(deviceNumber(statSync(file).dev), sysfs) ?? []].flat();
  } catch {
    return [];
  }
}

function readLine(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return text === '' ? undefined : text;
  } catch {
    return undefined;
  }
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
