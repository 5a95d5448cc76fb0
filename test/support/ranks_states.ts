import type { RankTensor, RankTensors } from './ranks_wire.js';

/** Where part `index` of `count` begins when a length is cut into parts that grow: the first may be empty. */
function unevenCut(length: number, index: number, count: number): number {
  return Math.floor((length * index * index) / (count * count));
}

/** Three factors of a world size, the first as small as the others allow. */
function gridOf(worldSize: number): readonly [number, number, number] {
  const third = [4, 2, 1].find((factor) => worldSize % factor === 0)!;
  const second = (worldSize / third) % 2 === 0 ? 2 : 1;
  return [worldSize / third / second, second, third];
}

function rows(rank: number, worldSize: number): RankTensor {
  return { dtype: 'F32', globalShape: [6 * worldSize, 129], shape: [6, 129], origin: [6 * rank, 0] };
}

function columns(rank: number, worldSize: number): RankTensor {
  return { dtype: 'BF16', globalShape: [33, 10 * worldSize], shape: [33, 10], origin: [0, 10 * rank], group: 'optimizer' };
}

function uneven(rank: number, worldSize: number): RankTensor {
  const [begin, end] = [unevenCut(1000, rank, worldSize), unevenCut(1000, rank + 1, worldSize)];
  return { dtype: 'F32', globalShape: [1000, 7], shape: [end - begin, 7], origin: [begin, 0] };
}

function blocks(rank: number, worldSize: number): RankTensor {
  const grid = gridOf(worldSize);
  const place = [Math.floor(rank / grid[1] / grid[2]), Math.floor(rank / grid[2]) % grid[1], rank % grid[2]];
  const shape = [3, 5, 11];
  return {
    dtype: 'U8',
    globalShape: shape.map((extent, dimension) => extent * grid[dimension]!),
    shape,
    origin: shape.map((extent, dimension) => extent * place[dimension]!),
  };
}

/** Only the middle ranks have rows; the others pass slices of none. */
function emptyHere(rank: number, worldSize: number): RankTensor {
  const holder = worldSize >> 1;
  return {
    dtype: 'F32',
    globalShape: [12, 4],
    shape: [rank === holder ? 12 : 0, 4],
    origin: [rank > holder ? 12 : 0, 0],
  };
}

/** Each half of the tensor is held by every second rank. */
function halves(rank: number, worldSize: number): RankTensor {
  const half = rank % 2;
  const replicas = Array.from({ length: worldSize }, (_, other) => other).filter((other) => other % 2 === half);
  return { dtype: 'F32', globalShape: [500, 301], shape: [250, 301], origin: [250 * half, 0], replicas };
}

const single = (worldSize: number): Record<number, readonly [string, RankTensor][]> => ({
  0: [['whole', { dtype: 'I64', shape: [300, 7] }]],
  [worldSize - 1]: [
    ['step', { dtype: 'I64', shape: [] }],
    ['none', { dtype: 'F32', shape: [0, 4], group: 'optimizer' }],
  ],
});

/** What one of several ranks saves: every way to divide a tensor, or not to. */
export function manyWays(rank: number, worldSize: number): RankTensors {
  const ends: RankTensor = { dtype: 'F32', shape: [4096], replicas: [worldSize - 1, 0] };
  return [
    ['rows', rows(rank, worldSize)],
    ['columns', columns(rank, worldSize)],
    ['uneven', uneven(rank, worldSize)],
    ['blocks', blocks(rank, worldSize)],
    ['empty here', emptyHere(rank, worldSize)],
    ['halves', halves(rank, worldSize)],
    ['norm', { dtype: 'F32', shape: [2048], replicas: 'all' }],
    ['large replica', { dtype: 'BF16', shape: [1025, 1024], replicas: 'all', group: 'optimizer' }],
    ['count', { dtype: 'I64', shape: [], replicas: 'all' }],
    ...(rank === 0 || rank === worldSize - 1 ? [['ends', ends] as const] : []),
    ...(single(worldSize)[rank] ?? []),
  ];
}

/** The least that makes a rank's part needed: rows of one tensor. */
export function oneTensor(rank: number, worldSize: number): RankTensors {
  return [['rows', rows(rank, worldSize)]];
}
