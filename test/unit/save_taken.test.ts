import { beforeEach, describe, expect, it, vi } from 'vitest';
import { CheckpointWriter } from '../../lib/save/writer.js';
import { nativeError, resetFakeBinding, type FakeBinding } from '../support/fake_binding.js';

vi.mock('../../lib/binding.js', () => import('../support/fake_binding.js'));

let fake: FakeBinding;
let writer: CheckpointWriter;
const tensors = { a: new Float32Array(4) };

beforeEach(async () => {
  fake = resetFakeBinding();
  writer = await CheckpointWriter.open('/runs');
});

/** As a write to a file that is gone fails. */
function failWrites(errno: string, path?: string): void {
  fake.onOpen = (transfer) => {
    transfer.fail(nativeError('system', errno, 'write', path ?? transfer.opened![0]));
  };
}

describe.each(['ENOENT', 'ESTALE'])('%s tells', (errno) => {
  it('that the directory of the save was taken away', async () => {
    failWrites(errno);
    await expect(writer.save({ step: 1, tensors })).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_GIVEN_UP' });
    fake.onOpen = (transfer) => {
      transfer.finish();
    };
    await writer.save({ step: 1, tensors });
    await writer.close();
  });

  it('the same of what is written beside the shards', async () => {
    fake.failNext('writeFiles', errno);
    await expect(writer.save({ step: 1, tensors })).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_GIVEN_UP' });
    await writer.close();
  });

  it('that the root was deleted', async () => {
    fake.onOpen = (transfer) => {
      fake.failNext('list', errno, /^$/);
      transfer.fail(nativeError('system', errno, 'write', transfer.opened![0]));
    };
    const save = writer.save({ step: 1, tensors });
    await expect(save).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_NOT_FOUND', message: expect.stringContaining('open another writer') as string });
    await writer.close();
  });

  it('nothing of that where a source is missing', async () => {
    failWrites(errno, '/elsewhere/weights.bin');
    const code = errno === 'ENOENT' ? 'ERR_SNAPSHARD_NOT_FOUND' : 'ERR_SNAPSHARD_IO';
    await expect(writer.save({ step: 1, tensors })).rejects.toMatchObject({ code, path: '/elsewhere/weights.bin' });
    await writer.close();
  });
});

it('ESTALE of a root that is there tells of no root that is gone', async () => {
  fake.failNext('makeDirectory', 'ESTALE');
  const refused = { code: 'ERR_SNAPSHARD_IO', errno: 'ESTALE', syscall: 'mkdirat' };
  await expect(writer.save({ step: 1, tensors })).rejects.toMatchObject(refused);
  await writer.save({ step: 1, tensors });
  await writer.close();
});

it('ENOENT where a directory is made tells that the root was deleted, and by which call', async () => {
  fake.failNext('makeDirectory', 'ENOENT');
  const message = expect.stringMatching('ENOENT from mkdirat.*open another writer') as string;
  await expect(writer.save({ step: 1, tensors })).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_NOT_FOUND', message });
  await writer.close();
});
