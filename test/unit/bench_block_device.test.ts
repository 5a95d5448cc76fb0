import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allTraits, blockDevice, deviceNumber, deviceText } from '../../lib/bench/block_device.js';

let sysfs = '';
beforeEach(() => {
  sysfs = mkdtempSync(join(tmpdir(), 'snapshard-sysfs-'));
});
afterEach(() => {
  rmSync(sysfs, { recursive: true });
});

interface Device {
  number: string;
  folder: string;
  files?: Record<string, string>;
  /** Folders of the devices that it is made of. */
  of?: string[];
}

/** Lays devices out as sysfs does: the numbers are links to folders, and so are the parts. */
function lay(...devices: Device[]): void {
  mkdirSync(join(sysfs, 'dev/block'), { recursive: true });
  for (const { number, folder, files = {}, of = [] } of devices) {
    const path = join(sysfs, 'devices', folder);
    for (const [name, text] of Object.entries({ dev: number, ...files })) {
      mkdirSync(dirname(join(path, name)), { recursive: true });
      writeFileSync(join(path, name), `${text}\n`);
    }
    symlinkSync(path, join(sysfs, 'dev/block', number));
    mkdirSync(join(path, 'slaves'));
    for (const part of of) symlinkSync(join(sysfs, 'devices', part), join(path, 'slaves', part.split('/').at(-1)!));
  }
}

const nvme0: Device = {
  number: '259:0',
  folder: 'pci0000:00/0000:01:00.0/nvme/nvme0/nvme0n1',
  files: { 'device/model': 'SAMSUNG MZQL23T8HCLS-00A07  ', 'device/transport': 'pcie', 'queue/rotational': '0' },
};
const nvme1: Device = {
  number: '259:4',
  folder: 'pci0000:00/0000:02:00.0/nvme/nvme1/nvme1n1',
  files: { 'device/model': 'Amazon Elastic Block Store', 'queue/rotational': '0' },
};

function described(number: string): [text: string, ...traits: string[]] {
  const device = blockDevice(number, sysfs)!;
  return [deviceText(device), ...[...allTraits(device)].sort()];
}

describe('a block device', () => {
  it('is named with its model, also where it is a partition', () => {
    lay(nvme0, { number: '259:1', folder: `${nvme0.folder}/nvme0n1p1`, files: { partition: '1' } });
    expect(described('259:0')).toEqual(['nvme0n1 (SAMSUNG MZQL23T8HCLS-00A07)']);
    expect(described('259:1')).toEqual(described('259:0'));
    expect(blockDevice('8:0', sysfs)).toBeUndefined();
    expect(blockDevice('0:42', sysfs)).toBeUndefined();
  });

  it('is named with what it is made of: RAID, logical volumes, encryption, one over the other', () => {
    const raid: Device = {
      number: '9:0',
      folder: 'virtual/block/md0',
      files: { 'md/level': 'raid5' },
      of: [nvme0.folder, nvme1.folder],
    };
    const crypt: Device = {
      number: '253:0',
      folder: 'virtual/block/dm-0',
      files: { 'dm/name': 'secret', 'dm/uuid': 'CRYPT-LUKS2-0123-secret' },
      of: [raid.folder],
    };
    const volume: Device = {
      number: '253:1',
      folder: 'virtual/block/dm-1',
      files: { 'dm/name': 'vg-runs', 'dm/uuid': 'LVM-abcdef' },
      of: [crypt.folder],
    };
    lay(nvme0, nvme1, raid, crypt, volume);
    expect(described('253:1')).toEqual([
      'dm-1 (LVM vg-runs) of dm-0 (CRYPT secret) of md0 (raid5) of ' +
        'nvme0n1 (SAMSUNG MZQL23T8HCLS-00A07), nvme1n1 (Amazon Elastic Block Store)',
      'cloud volume',
      'encrypted',
      'parity',
    ]);
  });

  it('of a loop is named with its file; whether it goes through the page cache is told', () => {
    const file = join(sysfs, 'disk.img');
    writeFileSync(file, '');
    const below = { ...nvme0, number: deviceNumber(statSync(file).dev) };
    const loop = (number: string, dio: string): Device => {
      const name = `loop${number.split(':')[1]!}`;
      return { number, folder: `virtual/block/${name}`, files: { 'loop/backing_file': file, 'loop/dio': dio } };
    };
    lay(below, loop('7:1', '0'), loop('7:2', '1'));
    const rest = `(${file}) of nvme0n1 (SAMSUNG MZQL23T8HCLS-00A07)`;
    expect(described('7:1')).toEqual([`loop1 ${rest}`, 'cached loop', 'loop']);
    expect(described('7:2')).toEqual([`loop2 ${rest}`, 'loop']);
  });

  it.each<[Device, string, string[]]>([
    [
      { number: '254:0', folder: 'pci0000:00/0000:00:02.0/virtio1/block/vda', files: { 'queue/rotational': '1' } },
      'vda (virtio)',
      ['virtual'],
    ],
    [
      {
        number: '8:0',
        folder: 'pci0000:00/ata1/host0/target0:0:0/0:0:0:0/block/sda',
        files: { 'device/model': 'ST18000NM000J', 'queue/rotational': '1' },
      },
      'sda (ST18000NM000J)',
      ['spinning'],
    ],
    [
      {
        number: '8:16',
        folder: 'pci0000:00/ata2/host1/block/sdb',
        files: { 'device/model': 'QEMU HARDDISK', 'queue/rotational': '1' },
      },
      'sdb (QEMU HARDDISK)',
      ['virtual'],
    ],
    [
      {
        number: '8:32',
        folder: 'platform/host2/session1/target2:0:0/2:0:0:0/block/sdc',
        files: { 'device/model': 'VIRTUAL-DISK' },
      },
      'sdc (VIRTUAL-DISK)',
      ['network', 'virtual'],
    ],
    [{ number: '43:0', folder: 'virtual/block/nbd0' }, 'nbd0', ['network']],
    [{ number: '252:0', folder: 'virtual/block/zram0' }, 'zram0', ['memory']],
    [
      {
        number: '259:9',
        folder: 'virtual/nvme-fabrics/ctl/nvme2/nvme2n1',
        files: { 'device/model': 'Linux', 'device/transport': 'tcp' },
      },
      'nvme2n1 (Linux)',
      ['network'],
    ],
  ])('%o is recognized', (device, text, traits) => {
    lay(device);
    expect(described(device.number)).toEqual([text, ...traits]);
  });
});

describe('the number of a device', () => {
  it.each([
    [0xfe00, '254:0'],
    [0x0801, '8:1'],
    [0x100008ff + 0, '8:65791'],
    [0x10300, '259:0'],
  ])('%i is %s', (device, number) => {
    expect(deviceNumber(device)).toBe(number);
  });
});
