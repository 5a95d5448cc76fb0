import { describe, expect, it } from 'vitest';
import type { Trait } from '../../lib/bench/block_device.js';
import { optionValue, parseMounts } from '../../lib/bench/mounts.js';
import { remarksOf } from '../../lib/bench/remarks.js';

function remarks(fileSystem: string, options = 'rw,relatime', source = 'server:/export', traits: Trait[] = []): string {
  return remarksOf({ fileSystem, source, options: options.split(',') }, new Set(traits)).join('\n');
}

/** As Linux 6.1 lists a mount that was asked for nothing but `vers=4.2`. */
const nfs =
  'rw,relatime,vers=4.2,rsize=1048576,wsize=1048576,namlen=255,hard,proto=tcp,timeo=600,retrans=2,sec=sys,' +
  'clientaddr=10.0.0.2,local_lock=none,addr=10.0.0.1';

describe('remarks', () => {
  it('say nothing of a local disk with options that make no difference', () => {
    expect(remarks('ext4', 'rw,noatime,discard,stripe=256,errors=remount-ro')).toBe('');
    expect(remarks('xfs', 'rw,noatime,attr2,inode64,logbufs=8,logbsize=32k,noquota')).toBe('');
    expect(remarks('f2fs')).toBe('');
  });

  it('say that memory is measured', () => {
    expect(remarks('tmpfs')).toMatch(/^tmpfs .*measures memory.*restart/);
    expect(remarks('ext4', 'rw', '/dev/zram0', ['memory'])).toMatch(/measures memory/);
  });

  it('of NFS name version, server and connections, and whose word durable is', () => {
    const text = remarks('nfs4', nfs);
    expect(text).toContain('NFS 4.2 from server:/export, over one TCP connection.');
    expect(text).toContain('nconnect=8');
    expect(text).toMatch(/server said so.*async/);
    expect(text.split('\n')).toHaveLength(3);
  });

  it('of NFS with several connections, or RDMA, ask for no more', () => {
    expect(remarks('nfs', nfs.replace('vers=4.2', 'vers=3,nconnect=16'))).toContain(
      'NFS 3 from server:/export, over 16 TCP connections.',
    );
    expect(remarks('nfs', `${nfs},nconnect=16`)).not.toContain('nconnect=8');
    const rdma = remarks('nfs4', nfs.replace('proto=tcp', 'proto=rdma'));
    expect(rdma).toContain('over one RDMA connection');
    expect(rdma).not.toContain('nconnect');
  });

  it('of NFS tell of requests that carry little', () => {
    const text = remarks('nfs4', nfs.replace('wsize=1048576', 'wsize=65536'));
    expect(text).toContain('With wsize=65536 a request carries 64.00 KiB at most: ask for 1048576');
    expect(remarks('nfs4', nfs.replaceAll('size=1048576', 'size=32768'))).toContain('With wsize=32768 and rsize=32768');
    expect(remarks('nfs4', nfs)).not.toContain('at most');
  });

  it('of NFS tell of soft mounts, sync and noac', () => {
    for (const soft of ['soft', 'softerr'])
      expect(remarks('nfs4', nfs.replace('hard', soft))).toContain('The mount is soft');
    expect(remarks('nfs4', nfs)).not.toContain('soft');
    expect(remarks('nfs4', `${nfs},sync`)).toContain('sync makes each write wait until the server has it');
    expect(remarks('nfs4', `${nfs},noac`)).toContain('With noac');
  });

  it('of FUSE name the process, and object stores that cannot rename', () => {
    expect(remarks('fuse.sshfs')).toMatch(/^FUSE \(sshfs\): .*threads, not io_uring\.$/);
    expect(remarks('fuse', 'rw', 'faultfs')).toContain('FUSE (faultfs)');
    for (const store of ['fuse.s3fs', 'fuse.gcsfuse', 'fuse.rclone', 'fuse.juicefs']) {
      expect(remarks(store)).toContain('no rename, or copy what is renamed');
    }
    expect(remarks('fuse', 'rw', 'mountpoint-s3')).toContain('object store');
    expect(remarks('fuse.sshfs')).not.toContain('object store');
  });

  it('of overlay name the layer that is written to', () => {
    expect(remarks('overlay', 'rw,lowerdir=/l,upperdir=/var/lib/docker/x/diff,workdir=/w')).toMatch(
      /upper layer \(\/var\/lib\/docker\/x\/diff\).*mount a volume/,
    );
    expect(remarks('overlay', 'rw,volatile,upperdir=/u')).toContain('no save is durable');
  });

  it('of btrfs tell of the page cache, checksums and compression', () => {
    expect(remarks('btrfs', 'rw,space_cache=v2,subvolid=5,subvol=/')).toMatch(/^btrfs has checksums.*page cache.*$/);
    expect(remarks('btrfs', 'rw,nodatasum')).toMatch(/^btrfs is written through the page cache/);
    expect(remarks('btrfs', 'rw,compress=zstd:3')).toContain('btrfs compresses (zstd:3)');
    expect(remarks('btrfs', 'rw,compress-force=lzo')).toContain('btrfs compresses (lzo)');
    expect(remarks('btrfs', 'rw,compress=no')).not.toContain('compresses');
  });

  it('tell what makes each write wait, and what makes a sync none', () => {
    expect(remarks('ext4', 'rw,sync')).toContain('sync makes each write wait until the disk has it');
    for (const option of ['nobarrier', 'barrier=0'])
      expect(remarks('ext4', `rw,${option}`)).toContain(`With ${option} a sync does not reach`);
    expect(remarks('ext4', 'rw,barrier=1')).toBe('');
    expect(remarks('ext4', 'rw,data=journal')).toContain('written twice');
    expect(remarks('ext4', 'rw,data=ordered')).toBe('');
  });

  it.each([
    ['zfs', 'zfs get sync,compression,recordsize tank/runs', 'tank/runs'],
    ['lustre', 'lfs getstripe', '10.0.0.1@tcp:/scratch'],
    ['virtiofs', 'folder of the host', 'share'],
    ['9p', 'folder of the host', 'share'],
    ['cifs', 'SMB from //server/share', '//server/share'],
  ])('of %s tell where to look', (fileSystem, text, source) => {
    expect(remarks(fileSystem, 'rw', source)).toContain(text);
  });

  it.each<[Trait, RegExp]>([
    ['network', /over a network/],
    ['cloud volume', /volume of a cloud/],
    ['virtual', /disk is virtual/],
    ['spinning', /disk spins/],
    ['encrypted', /encrypted/],
    ['parity', /parity/],
    ['loop', /loop device is a file/],
    ['cached loop', /page cache a second time/],
  ])('of a device that is "%s" tell what it does', (trait, text) => {
    expect(remarks('xfs', 'rw', '/dev/x', [trait])).toMatch(text);
  });
});

describe('the list of mounts', () => {
  const text = [
    '27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard',
    '28 27 0:40 / /mnt/with\\040space rw,nosuid shared:2 master:1 propagate_from:3 - nfs4 server:/an\\040export rw,vers=4.2,nconnect=4',
    '29 27 0:41 / /mnt/none rw - tmpfs  rw,size=4k',
    '',
  ].join('\n');

  it('is read with any number of optional fields, with spaces in names and none at all', () => {
    expect(parseMounts(text)).toEqual([
      { id: 27, device: '254:0', fileSystem: 'ext4', source: '/dev/vda', options: ['rw', 'relatime', 'discard'] },
      {
        id: 28,
        device: '0:40',
        fileSystem: 'nfs4',
        source: 'server:/an export',
        options: ['rw', 'nosuid', 'vers=4.2', 'nconnect=4'],
      },
      { id: 29, device: '0:41', fileSystem: 'tmpfs', source: '', options: ['rw', 'size=4k'] },
    ]);
  });

  it('has options by name', () => {
    expect(optionValue(['rw', 'vers=4.2', 'nconnect=4'], 'nconnect')).toBe('4');
    expect(optionValue(['rw', 'minvers=4.2'], 'vers')).toBeUndefined();
  });
});
