import type { Checkpoint } from '../restore/checkpoint.js';
import { shardMetadata } from '../layout/header.js';
import type { Metadata } from '../layout/metadata.js';
import type { TensorInfo } from '../restore/read_types.js';
import { sameDimensions } from '../tensor/shape.js';
import { ContentComparison, equalByDigest, type Pair } from './compare.js';
import { differenceLines } from './diff_lines.js';
import { ExitCode } from './exit_code.js';
import { type Selection, select } from './filter.js';
import { compareMetadata, type MetadataChange } from './metadata.js';
import { open } from './open.js';
import { Progress } from './progress.js';
import type { Terminal } from './terminal.js';

interface Options extends Selection {
  readonly json?: true;
}

export interface TensorChange {
  readonly name: string;
  /** What differs: one or more of dtype, shape, group, content. */
  readonly what: readonly ('dtype' | 'shape' | 'group' | 'content')[];
  readonly a: TensorInfo;
  readonly b: TensorInfo;
}

/** What B has that A has not, and so on. */
export interface Difference {
  readonly metadata: readonly MetadataChange[];
  readonly added: readonly TensorInfo[];
  readonly removed: readonly TensorInfo[];
  readonly changed: readonly TensorChange[];
  /** How many tensors are equal. */
  readonly equal: number;
  /** Of the tensors that both have with one dtype and shape: how many were compared by digest, and by content. */
  readonly byDigest: number;
  readonly byContent: number;
  readonly sideFiles: { readonly added: string[]; readonly removed: string[]; readonly changed: string[] };
}

/** `snapshard diff` */
export async function diff(pathA: string, pathB: string, options: Options, terminal: Terminal): Promise<ExitCode> {
  const signal = terminal.interruptible();
  await using a = await open(pathA, terminal);
  await using b = await open(pathB, terminal);
  const difference = await compare(a, b, options, signal);
  if (options.json) terminal.printJson(jsonOf(a, b, difference));
  else terminal.print(differenceLines(a, b, difference, terminal.width));
  return isNone(difference) ? ExitCode.Fine : ExitCode.Finding;
}

async function compare(a: Checkpoint, b: Checkpoint, selection: Selection, signal: AbortSignal): Promise<Difference> {
  const { tensorsA, tensorsB } = selectBoth(a, b, selection);
  const pairs = [...tensorsA.values()].flatMap((tensor): Pair[] => {
    const other = tensorsB.get(tensor.name);
    return other === undefined ? [] : [{ a: tensor, b: other }];
  });
  const alike = pairs.filter((pair) => pair.a.dtype === pair.b.dtype && sameDimensions(pair.a.shape, pair.b.shape));
  const told = new Map(alike.map((pair) => [pair, equalByDigest(pair)]));
  const unknown = alike.filter((pair) => told.get(pair) === undefined);
  const differing = await compareContents(a, b, unknown, signal);
  for (const pair of alike) if (told.get(pair) === false) differing.add(pair.a.name);
  const changed = pairs.flatMap((pair) => changeOf(pair, differing.has(pair.a.name)));
  // Whoever selects tensors asks about these alone.
  const all = selection.filter.length === 0 && selection.group.length === 0;
  return {
    metadata: all ? compareMetadata(metadataBeside(a, b), metadataBeside(b, a)) : [],
    added: [...tensorsB.values()].filter(({ name }) => !tensorsA.has(name)),
    removed: [...tensorsA.values()].filter(({ name }) => !tensorsB.has(name)),
    changed,
    equal: pairs.length - changed.length,
    byDigest: alike.length - unknown.length,
    byContent: unknown.length,
    sideFiles: all ? await compareSideFiles(a, b) : { added: [], removed: [], changed: [] },
  };
}

/** Beside one of our own: what its shards say just so for other readers, its metadata need not. */
function metadataBeside({ format, metadata }: Checkpoint, other: Checkpoint): Metadata {
  if (format === 'snapshard' || other.format !== 'snapshard') return metadata;
  const ofShards = new Map<string, unknown>(Object.entries(shardMetadata));
  const isOfShards = (key: string): boolean => ofShards.get(key) === metadata[key] && !Object.hasOwn(other.metadata, key);
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => !isOfShards(key)));
}

type ByName = ReadonlyMap<string, TensorInfo>;

/** What one of the two lacks altogether was added or removed; only what both lack was selected in vain. */
function selectBoth(a: Checkpoint, b: Checkpoint, selection: Selection): { tensorsA: ByName; tensorsB: ByName } {
  const names = new Set(select([...a.tensors.values(), ...b.tensors.values()], selection).map(({ name }) => name));
  const chosen = ({ tensors }: Checkpoint): ByName =>
    new Map([...names].filter((name) => tensors.has(name)).map((name) => [name, tensors.get(name)!]));
  return { tensorsA: chosen(a), tensorsB: chosen(b) };
}

async function compareContents(
  a: Checkpoint,
  b: Checkpoint,
  pairs: readonly Pair[],
  signal: AbortSignal,
): Promise<Set<string>> {
  if (pairs.length === 0) return new Set();
  const progress = new Progress('compare', pairs.reduce((sum, pair) => sum + pair.a.bytes, 0));
  using comparison = new ContentComparison(a, b, signal);
  try {
    return await comparison.differing(pairs, (bytes) => {
      progress.add(bytes);
    });
  } finally {
    progress.stop();
  }
}

function changeOf({ a, b }: Pair, contentDiffers: boolean): TensorChange[] {
  const what: TensorChange['what'][number][] = [];
  if (a.dtype !== b.dtype) what.push('dtype');
  if (!sameDimensions(a.shape, b.shape)) what.push('shape');
  if (a.group !== b.group) what.push('group');
  if (contentDiffers) what.push('content');
  return what.length === 0 ? [] : [{ name: a.name, what, a, b }];
}

async function compareSideFiles(a: Checkpoint, b: Checkpoint): Promise<Difference['sideFiles']> {
  const changed: string[] = [];
  for (const [name, file] of a.files) {
    const other = b.files.get(name);
    if (other === undefined) continue;
    const byDigest = file.digest !== undefined && other.digest !== undefined;
    const equal = byDigest
      ? file.digest === other.digest
      : file.bytes === other.bytes && Buffer.compare(await a.file(name), await b.file(name)) === 0;
    if (!equal) changed.push(name);
  }
  return {
    added: [...b.files.keys()].filter((name) => !a.files.has(name)),
    removed: [...a.files.keys()].filter((name) => !b.files.has(name)),
    changed,
  };
}

function isNone({ metadata, added, removed, changed, sideFiles }: Difference): boolean {
  const { added: filesAdded, removed: filesRemoved, changed: filesChanged } = sideFiles;
  return [metadata, added, removed, changed, filesAdded, filesRemoved, filesChanged].every(({ length }) => length === 0);
}

function identityOf({ path, format, step, digest }: Checkpoint): unknown {
  return { path, format, step, digest };
}

function jsonOf(a: Checkpoint, b: Checkpoint, difference: Difference): unknown {
  const brief = ({ name, dtype, shape, group, bytes }: TensorInfo): unknown => ({ name, dtype, shape, group, bytes });
  return {
    a: identityOf(a),
    b: identityOf(b),
    differs: !isNone(difference),
    ...difference,
    added: difference.added.map(brief),
    removed: difference.removed.map(brief),
    changed: difference.changed.map((change) => ({ ...change, a: brief(change.a), b: brief(change.b) })),
  };
}
