import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSafetensorsMetadata, type SafetensorsFileHeader, type SafetensorsParseFromRepo } from '@huggingface/hub';
import { afterAll, describe, expect, it } from 'vitest';
import { saveAsRanks } from '../support/restored.js';
import { shardsOf } from '../support/read_back.js';
import { everyDtype, everyShape, makeScratch, randomTensor, type RawTensor } from './trees.js';

const scratch = makeScratch();
afterAll(() => {
  scratch.remove();
});

/** Answers as the hub does for a repository of these files. */
function serve(folder: string): typeof fetch {
  return (input, { headers } = {}) => {
    const url = input instanceof Request ? input.url : input.toString();
    const path = join(folder, decodeURIComponent(url.split(/\/(?:raw|resolve)\/main\//)[1]!));
    if (!existsSync(path)) {
      return Promise.resolve(new Response(null, { status: 404, headers: { 'X-Error-Code': 'EntryNotFound' } }));
    }
    const bytes = readFileSync(path);
    const range = /^bytes=(\d+)-(\d+)$/.exec(new Headers(headers).get('Range') ?? '');
    const [begin, end] = range === null ? [0, bytes.length] : [Number(range[1]), Number(range[2]) + 1];
    const told = { ETag: '"1"', 'Content-Range': `bytes ${begin}-${end - 1}/${bytes.length}` };
    const status = range === null ? 200 : 206;
    return Promise.resolve(new Response(bytes.subarray(begin, end), { status, headers: told }));
  };
}

function parse(folder: string, path?: string): Promise<SafetensorsParseFromRepo> {
  return parseSafetensorsMetadata({ repo: 'a/b', fetch: serve(folder), ...(path !== undefined && { path }) });
}

/** Name, dtype, shape and bytes of each tensor. */
function listed(...headers: SafetensorsFileHeader[]): unknown[] {
  const entries = headers.flatMap(({ __metadata__: _, ...tensors }) => Object.entries(tensors));
  const rows = entries.map(([name, { dtype, shape, data_offsets: [begin, end] }]) => [name, dtype, shape, end - begin]);
  return rows.sort(([left], [right]) => ((left as string) < (right as string) ? -1 : 1));
}

function expected(tensors: Iterable<readonly [string, RawTensor]>): unknown[] {
  const rows = [...tensors].map(([name, { dtype, shape, data }]) => [name, dtype, shape, data.length]);
  return rows.sort(([left], [right]) => ((left as string) < (right as string) ? -1 : 1));
}

describe('@huggingface/hub', () => {
  it('reads the header of a shard with every dtype, scalars, empty tensors and odd names', async () => {
    const tensors = everyShape();
    const folder = await scratch.save({ tensors });
    const found = await parse(folder, 'model-00001-of-00001.safetensors');
    if (found.sharded) expect.fail('One file is no sharded checkpoint.');
    expect(found.header.__metadata__).toEqual({ format: 'pt' });
    expect(listed(found.header)).toEqual(expected(tensors));
  });

  it('finds all tensors by the index, in as many files as there are', async () => {
    const tensors = everyShape();
    const moments = [...tensors].map(([name, tensor]) => [`${name}.m`, { ...tensor, group: 'moments' }] as const);
    const folder = await scratch.save({ tensors: [...tensors, ...moments] }, { shardBytes: 3 * 2 ** 20 });
    const found = await parse(folder);
    if (!found.sharded) expect.fail('There is an index.');
    expect(listed(...Object.values(found.headers))).toEqual(expected(tensors));
    const files = shardsOf(folder).filter((name) => name.startsWith('model-'));
    expect(files.length).toBeGreaterThan(2);
    expect(found.filepaths.toSorted()).toEqual(['model.safetensors.index.json', ...files].sort());
    for (const [file, header] of Object.entries(found.headers)) {
      const names = Object.entries(found.index.weight_map!).filter(([, place]) => place === file);
      const { __metadata__: _, ...entries } = header;
      expect(Object.keys(entries).sort()).toEqual(names.map(([name]) => name).sort());
    }
  });

  it('counts parameters', async () => {
    const tensors = { a: randomTensor('BF16', [30, 7]), b: randomTensor('F32', [11]), c: randomTensor('F32', [1]) };
    const folder = await scratch.save({ tensors }, { shardBytes: 100 });
    const params = { repo: 'a/b', fetch: serve(folder), computeParametersCount: true } as const;
    expect(await parseSafetensorsMetadata(params)).toMatchObject({ parameterCount: { BF16: 210, F32: 12 } });
  });

  it('reads the header of each shard of several ranks', async () => {
    const { path } = await saveAsRanks(scratch.root, 3, (rank) =>
      everyDtype.map((dtype) => {
        const slice = { globalShape: [12, 8], shape: [4, 8], origin: [4 * rank, 0] };
        return [`rows.${dtype}`, { ...randomTensor(dtype, [4, 8]), ...slice }];
      }),
    );
    expect(shardsOf(path)).toHaveLength(3);
    for (const file of shardsOf(path)) {
      const found = await parse(path, file);
      if (found.sharded) expect.fail('One file is no sharded checkpoint.');
      expect(found.header.__metadata__).toMatchObject({ DCP_VERSION: '1.0' });
      const rows = everyDtype.map((dtype) => [`rows.${dtype}`, randomTensor(dtype, [4, 8])] as const);
      expect(listed(found.header)).toEqual(expected(rows));
    }
  });
});
