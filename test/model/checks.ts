import { createHash } from 'node:crypto';
import { parseManifestTail } from '../../lib/layout/manifest.js';
import { manifestName, parseFailureName, parseSessionEntry, parseStepDirectory } from '../../lib/layout/names.js';
import { parseRankManifest, type RankManifest } from '../../lib/layout/rank_manifest_reader.js';
import { decodeFailure, type Failure } from '../../lib/ranks/failure.js';
import { decodeRoster } from '../../lib/ranks/roster.js';
import { shardDigest } from './model_transfer.js';
import type { FailureReport, Report } from './rank_run.js';
import { contentOf, fullShard, type Tree } from './tree.js';
import type { ProcessState, World } from './world.js';

/** A published checkpoint that was found whole. */
export interface Checkpoint {
  readonly name: string;
  readonly step: number;
  /** Nonce of the save. */
  readonly save: string;
  readonly digest: string;
  readonly writers: readonly string[];
}

export class Violation extends Error {
  override readonly name = 'Violation';
}

const digest = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');
const checkpoints = new Map<string, Promise<Checkpoint>>();

export function forgetCheckpoints(): void {
  checkpoints.clear();
}

/** Everything below a directory, as one text. */
function fingerprint(tree: Tree, name: string): string {
  const prefix = `${name}/`;
  const below = [...tree.entries].filter(([path]) => path.startsWith(prefix));
  return below.map(([path, entry]) => `${path.slice(prefix.length)}\0${entry}`).sort().join('\n');
}

/** Checks a published directory: whole, of one save, and of one writer for each rank. */
export function inspect(tree: Tree, name: string): Promise<Checkpoint> {
  const key = `${name}\n${fingerprint(tree, name)}`;
  let found = checkpoints.get(key);
  if (found === undefined) {
    found = inspectNew(tree, name);
    checkpoints.set(key, found);
  }
  return found;
}

async function inspectNew(tree: Tree, name: string): Promise<Checkpoint> {
  const bytes = read(tree, `${name}/${manifestName}`);
  const tail = parseManifestTail(bytes);
  if (tail === undefined) throw new Violation(`${name} is published with a manifest that is not whole`);
  const manifest = JSON.parse(new TextDecoder().decode(bytes)) as {
    step: number;
    worldSize: number;
    save: string;
    ranks: { rank: number; manifest: Listed; digests: Listed }[];
    files: Listed[];
  };
  const step = parseStepDirectory(name)?.step;
  if (manifest.step !== step) throw new Violation(`${name} says that it is step ${manifest.step}`);
  if (manifest.ranks.length !== manifest.worldSize) throw new Violation(`${name} lists ${manifest.ranks.length} ranks`);
  for (const file of manifest.files) requireListed(tree, name, file);
  const writers: string[] = [];
  for (const [rank, listed] of manifest.ranks.entries()) {
    requireListed(tree, name, listed.digests);
    const contents = requireListed(tree, name, listed.manifest);
    const parsed = await parseRankManifest(contents, digest, listed.manifest.name);
    if (parsed.rank !== rank || parsed.save !== manifest.save || parsed.step !== step) {
      throw new Violation(`${name} holds a manifest of rank ${parsed.rank}, step ${parsed.step}, save ${parsed.save}`);
    }
    requireShards(tree, name, parsed);
    writers.push(parsed.writer);
  }
  return { name, step, save: tail.save, digest: tail.digest, writers };
}

interface Listed {
  readonly name: string;
  readonly bytes: number;
  readonly digest: string;
}

function read(tree: Tree, path: string): Uint8Array {
  const content = tree.entries.get(path);
  if (content === undefined) throw new Violation(`${path} is missing`);
  return contentOf(content);
}

function requireListed(tree: Tree, directory: string, { name, bytes, digest: expected }: Listed): Uint8Array {
  const contents = read(tree, `${directory}/${name}`);
  if (contents.byteLength === bytes && digest(contents) === expected) return contents;
  throw new Violation(`${directory}/${name} is not what its manifest lists`);
}

function requireShards(tree: Tree, directory: string, { files }: RankManifest): void {
  for (const file of files) {
    const entry = tree.entries.get(`${directory}/${file.name}`);
    const [, token = ''] = /^full (.*)$/.exec(entry ?? '') ?? [];
    if (entry !== fullShard(token) || shardDigest(token) !== file.digest) {
      throw new Violation(`${directory}/${file.name} is not what its rank manifest lists: it is ${entry ?? 'missing'}`);
    }
  }
}

/** What has happened that the store does not show any more. */
export interface Memory {
  /** Writers of each session that had a roster, by its nonce. */
  readonly rosters: ReadonlyMap<string, readonly string[]>;
  readonly published: readonly Checkpoint[];
}

export const nothingYet: Memory = { rosters: new Map(), published: [] };

export function memoryKey({ rosters, published }: Memory): string {
  return [...rosters.keys(), ...published.map(({ name, digest: own }) => name + own)].join(' ');
}

/** Checks one step of the store. Returns `memory` itself where nothing new has to be remembered. */
export async function checkStore(before: Tree, after: Tree, memory: Memory): Promise<Memory> {
  const rosters = newRosters(before, after);
  const known = rosters.size === 0 ? memory : { ...memory, rosters: new Map([...memory.rosters, ...rosters]) };
  const published: Checkpoint[] = [];
  for (const name of stepsOf(after)) {
    if (stepsOf(before).includes(name)) {
      if (fingerprint(before, name) !== fingerprint(after, name)) throw new Violation(`${name} has changed`);
    } else published.push(await checkNew(after, name, known));
  }
  for (const name of stepsOf(before)) {
    if (!stepsOf(after).includes(name)) requireReplaced(after, name);
  }
  return published.length === 0 ? known : { ...known, published: [...known.published, ...published] };
}

async function checkNew(tree: Tree, name: string, { rosters, published }: Memory): Promise<Checkpoint> {
  const checkpoint = await inspect(tree, name);
  const [, session = ''] = /^([0-9a-f]+)x[0-9]+$/.exec(checkpoint.save) ?? [];
  const roster = rosters.get(session);
  if (roster === undefined) throw new Violation(`${name} is of session ${session}, which has no roster`);
  if (roster.join() !== checkpoint.writers.join()) {
    throw new Violation(`${name} is of writers ${checkpoint.writers.join()}, and the roster says ${roster.join()}`);
  }
  const twice = published.find((other) => other.save === checkpoint.save && other.step === checkpoint.step);
  if (twice !== undefined) throw new Violation(`${name} is the same save as ${twice.name}`);
  return checkpoint;
}

/** Only for a later generation does a published directory go. */
function requireReplaced(after: Tree, name: string): void {
  const gone = parseStepDirectory(name)!;
  const later = stepsOf(after).some((other) => {
    const parsed = parseStepDirectory(other)!;
    return parsed.step === gone.step && parsed.generation > gone.generation;
  });
  if (!later) throw new Violation(`${name} has been taken away`);
}

/** Whoever saves next removes what was replaced. */
export function requireNoneReplaced(tree: Tree): void {
  const names = stepsOf(tree);
  const steps = new Set(names.map((name) => parseStepDirectory(name)?.step));
  if (steps.size < names.length) throw new Violation(`what was replaced is left over: ${names.join(' ')}`);
}

const stepNames = new WeakMap<Tree, readonly string[]>();

function stepsOf(tree: Tree): readonly string[] {
  let names = stepNames.get(tree);
  if (names === undefined) {
    names = tree.names('').filter((name) => parseStepDirectory(name) !== undefined);
    stepNames.set(tree, names);
  }
  return names;
}

function newRosters(before: Tree, after: Tree): Map<string, readonly string[]> {
  const rosters = new Map<string, readonly string[]>();
  for (const [path, content] of after.entries) {
    const entry = path.startsWith('.session') && !before.has(path) ? parseSessionEntry(path) : undefined;
    if (entry?.kind !== 'roster') continue;
    const roster = decodeRoster(contentOf(content), path);
    if ('writers' in roster) rosters.set(entry.nonce, roster.writers);
  }
  return rosters;
}

/** Failures after which a save may be published all the same: the caller is told to look. */
function isUndecided({ code, message }: FailureReport): boolean {
  if (code === 'ERR_SNAPSHARD_DURABILITY_UNKNOWN') return true;
  return code === 'ERR_SNAPSHARD_DEADLINE' && message.includes('It may yet be published');
}

/** The save that a process made by one of its calls, once it is published. */
export function checkpointOf({ parts, local }: ProcessState, call: number, memory: Memory): Checkpoint | undefined {
  const { step } = parts.saves[call]!;
  const attempt = parts.saves.slice(0, call + 1).filter((save) => save.step === step).length;
  const [opened] = local.view.reports;
  const writer = opened?.kind === 'opened' ? opened.nonces[0] : undefined;
  return memory.published.find(
    ({ writers, save, step: published }) =>
      published === step && writers[parts.rank] === writer && save.endsWith(`x${attempt}`),
  );
}

/** Checks what a process has just told its caller. */
export function checkReport(process: ProcessState, report: Report, memory: Memory): void {
  if (report.kind === 'saved') {
    const checkpoint = checkpointOf(process, report.call, memory);
    if (checkpoint?.name !== report.name || checkpoint.digest !== report.digest) {
      throw new Violation(`rank ${process.parts.rank} reports ${report.name}, and that is not published by its save`);
    }
  }
  if ('failure' in report && !isWrong(process, report)) checkFailure(process, report.failure);
}

function isWrong({ parts }: ProcessState, report: Report): boolean {
  return 'call' in report && parts.saves[report.call]?.wrong === true;
}

/** What another run has done, or nobody knows who. */
const nobodysFault = ['ERR_SNAPSHARD_STEP_EXISTS', 'ERR_SNAPSHARD_GIVEN_UP'];

/** A rank whose own fault or time it was not says whose it was. */
function checkFailure({ parts, wronged, late }: ProcessState, { code, ranks, message }: FailureReport): void {
  if (!code.startsWith('ERR_SNAPSHARD_') && !(wronged && code === 'AbortError')) {
    throw new Violation(`rank ${parts.rank} fails with no code of Snapshard: ${code} ${message}`);
  }
  const named = ranks !== undefined && ranks.length > 0 && ranks.every((rank) => rank >= 0 && rank < parts.worldSize);
  if (!named && !wronged && !late && !nobodysFault.includes(code)) {
    throw new Violation(`rank ${parts.rank} does not say whose fault it is: ${code} ${message}`);
  }
}

/**
 * Checks all ranks together, at any moment: nobody has been told that a save failed for good which is published. One
 * that comes so late that its checkpoint has been replaced cannot know.
 */
export function checkWorld({ processes, tree }: World, memory: Memory): void {
  for (const process of processes) {
    for (const report of process.local.view.reports) {
      if (report.kind !== 'failed' || isUndecided(report.failure)) continue;
      const checkpoint = checkpointOf(process, report.call, memory);
      if (checkpoint === undefined || !tree.has(checkpoint.name)) continue;
      const told = JSON.stringify(report.failure);
      const { rank } = process.parts;
      throw new Violation(`rank ${rank} reports that step ${report.step} failed, but it is published: ${told}`);
    }
  }
}

/** What ranks have told the others of saves that failed. */
function* recordsIn(tree: Tree): Generator<{ path: string; rank: number; failure: Failure }> {
  for (const [path, entry] of tree.entries) {
    const rank = parseFailureName(path.slice(path.lastIndexOf('/') + 1))?.rank;
    if (rank !== undefined) yield { path, rank, failure: decodeFailure(contentOf(entry), rank) };
  }
}

/** Checks a world in which nothing more happens. */
export function checkEnd({ processes, tree }: World): void {
  for (const { path, rank, failure } of recordsIn(tree)) {
    // Rank 0 says so of itself where it was late with its own part; another knows whom it waited for, or names nobody.
    if (rank === 0 || failure.code !== 'ERR_SNAPSHARD_DEADLINE' || !failure.ranks.includes(rank)) continue;
    throw new Violation(`rank ${rank} blames itself, which had handed in, in ${path}: ${failure.message}`);
  }
  for (const { parts, local, state } of processes) {
    if (state !== 'crashed' && !local.view.ended) throw new Violation(`rank ${parts.rank} waits for ever`);
  }
}
