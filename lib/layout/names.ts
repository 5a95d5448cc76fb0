import { SnapshardError } from '../errors.js';
import { describe } from '../tensor/describe.js';

export const manifestName = 'manifest.json';
export const ranksDirectory = 'ranks';

/** Most file systems allow no longer name. */
const fileNameLimitBytes = 255;
const stepDigits = 10;
const numberDigits = 5;
/** Files of one group at most: what five digits can number. */
export const groupFilesLimit = 99_999;

const stepPattern = /^step-(\d{10,16})(?:\.g([1-9]\d{0,15}))?$/;
const partialPattern = /^\.step-(\d{10,16})\.([0-9a-z]+)\.partial$/;
const deadPattern = /^\.dead-[0-9a-z]+$/;
const sessionPattern = /^\.session-([0-9a-f]+)\.([0-9a-z]+)(\.roster)?$/;
const joinPattern = /^(\d{5})-of-(\d{5})\.([0-9a-z]+)$/;
const rankManifestPattern = /^(\d{5})\.json$/;
const failurePattern = /^(\d{1,16})\.(\d{1,16})\.(\d{1,5})\.failed$/;
const saveNoncePattern = /^([0-9a-f]+)x([1-9]\d{0,15})$/;

/** How all names in a root begin that are ours. */
export const rootPrefixes: readonly string[] = ['step-', '.step-', '.dead-', '.session-'];

export interface StepDirectory {
  readonly step: number;
  /** 1 for the first, 2 for its replacement, … */
  readonly generation: number;
}

const stepName = (step: number): string => `step-${String(step).padStart(stepDigits, '0')}`;
const fiveDigits = (value: number): string => String(value).padStart(numberDigits, '0');

/** `step-0000001000`, and `step-0000001000.g2` for its replacement. */
export function stepDirectoryName(step: number, generation: number): string {
  return generation === 1 ? stepName(step) : `${stepName(step)}.g${generation}`;
}

/** The step and generation of a directory that {@link stepDirectoryName} named; `undefined` for any other name. */
export function parseStepDirectory(name: string): StepDirectory | undefined {
  const [, digits, generationDigits = '1'] = stepPattern.exec(name) ?? [];
  const step = Number(digits);
  const generation = Number(generationDigits);
  const safe = Number.isSafeInteger(step) && Number.isSafeInteger(generation);
  const canonical = safe && stepDirectoryName(step, generation) === name;
  return canonical ? { step, generation } : undefined;
}

/** `.step-0000002000.<nonce>.partial`: a save under way. The nonce: lower-case letters and digits. */
export function partialDirectoryName(step: number, nonce: string): string {
  return `.${stepName(step)}.${nonce}.partial`;
}

/** The step and nonce of a directory that {@link partialDirectoryName} named; `undefined` for any other name. */
export function parsePartialDirectory(name: string): { readonly step: number; readonly nonce: string } | undefined {
  const [, digits, nonce = ''] = partialPattern.exec(name) ?? [];
  const step = Number(digits);
  const canonical = Number.isSafeInteger(step) && partialDirectoryName(step, nonce) === name;
  return canonical ? { step, nonce } : undefined;
}

/** `.dead-<nonce>`: given up, or being deleted; anyone may remove it. */
export function deadDirectoryName(nonce: string): string {
  return `.dead-${nonce}`;
}

export function isDeadDirectory(name: string): boolean {
  return deadPattern.test(name);
}

/** `ranks/00000.json` */
export function rankManifestName(rank: number): string {
  return `${ranksDirectory}/${fiveDigits(rank)}.json`;
}

/** `ranks/00000.digests` */
export function rankDigestsName(rank: number): string {
  return `${ranksDirectory}/${fiveDigits(rank)}.digests`;
}

/** `ranks/00000.json.tmp`: the rank manifest before it is handed in. */
export function unfinishedRankManifestName(rank: number): string {
  return `${rankManifestName(rank)}.tmp`;
}

/** The rank whose manifest has this name in the ranks directory; `undefined` for other names. */
export function parseRankManifestName(name: string): number | undefined {
  const [, digits] = rankManifestPattern.exec(name) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** `.session-<run>.<nonce>`: where the ranks of a run meet. The run: hexadecimal digits that stand for its id. */
export function sessionDirectoryName(run: string, nonce: string): string {
  return `.session-${run}.${nonce}`;
}

/** `.session-<run>.<nonce>.roster`: who has met there. */
export function rosterName(run: string, nonce: string): string {
  return `${sessionDirectoryName(run, nonce)}.roster`;
}

export interface SessionEntry {
  readonly run: string;
  readonly nonce: string;
  readonly kind: 'directory' | 'roster';
}

/** The run and nonce of what {@link sessionDirectoryName} or {@link rosterName} named; `undefined` for other names. */
export function parseSessionEntry(name: string): SessionEntry | undefined {
  const [, run, nonce, roster] = sessionPattern.exec(name) ?? [];
  if (run === undefined || nonce === undefined) return undefined;
  return { run, nonce, kind: roster === undefined ? 'directory' : 'roster' };
}

export interface Join {
  readonly rank: number;
  readonly worldSize: number;
  /** Of the writer. */
  readonly nonce: string;
}

/** `00003-of-00008.<nonce>`: a rank that has come to a session. */
export function joinName({ rank, worldSize, nonce }: Join): string {
  return `${fiveDigits(rank)}-of-${fiveDigits(worldSize)}.${nonce}`;
}

export function parseJoin(name: string): Join | undefined {
  const [, rank, worldSize, nonce] = joinPattern.exec(name) ?? [];
  return nonce === undefined ? undefined : { rank: Number(rank), worldSize: Number(worldSize), nonce };
}

/** One save of a session: its step, and how many times this step has been asked for. */
export interface SaveKey {
  readonly step: number;
  /** From 1. */
  readonly attempt: number;
}

/** What stands for one save of a session in names and manifests; with its step, no other save has it. */
export function saveNonce(session: string, attempt: number): string {
  return `${session}x${attempt}`;
}

export interface SessionSave extends SaveKey {
  readonly session: string;
}

/** Which save of which session a half-written directory is; `undefined` for other names. */
export function parseSessionPartial(name: string): SessionSave | undefined {
  const partial = parsePartialDirectory(name);
  const [, session, attempt] = saveNoncePattern.exec(partial?.nonce ?? '') ?? [];
  if (partial === undefined || session === undefined) return undefined;
  return { session, step: partial.step, attempt: Number(attempt) };
}

/** `.dead-<session>s<step>x<attempt>r<rank>`: given up by that rank. */
export function deadSaveName(session: string, { step, attempt }: SaveKey, rank: number): string {
  return deadDirectoryName(`${session}s${step}x${attempt}r${rank}`);
}

/** The rank that gave this save up, if that is what a name says. */
export function parseDeadSave(session: string, key: SaveKey, name: string): number | undefined {
  const prefix = deadSaveName(session, key, 0).slice(0, -1);
  if (!name.startsWith(prefix)) return undefined;
  const rank = Number(name.slice(prefix.length));
  return deadSaveName(session, key, rank) === name ? rank : undefined;
}

/** `2000.1.3.failed`: in the session's directory, why a rank gave a save up. */
export function failureName({ step, attempt }: SaveKey, rank: number): string {
  return `${step}.${attempt}.${rank}.failed`;
}

/** The save and rank of what {@link failureName} named; `undefined` for other names. */
export function parseFailureName(name: string): (SaveKey & { readonly rank: number }) | undefined {
  const [, step, attempt, rank] = failurePattern.exec(name) ?? [];
  return rank === undefined ? undefined : { step: Number(step), attempt: Number(attempt), rank: Number(rank) };
}

/** `model-00001-of-00002.safetensors`: what Hugging Face looks for. Files count from 1. */
export function shardName(group: string, file: number, files: number): string {
  return `${group}-${fiveDigits(file)}-of-${fiveDigits(files)}.safetensors`;
}

/** `shard-00001-model-00001-of-00001.safetensors`: as PyTorch DCP names slices. Ranks count from 0, shards from 1. */
export function slicedShardName(rank: number, group: string, file: number, files: number): string {
  return `shard-${fiveDigits(rank + 1)}-${shardName(group, file, files)}`;
}

/** `model.safetensors.index.json` */
export function indexName(group: string): string {
  return `${group}.safetensors.index.json`;
}

function sideFileFault(name: unknown): string | undefined {
  if (typeof name !== 'string' || name === '') return 'must be a string that is not empty';
  if (!name.isWellFormed()) return 'must be well-formed Unicode, with no lone surrogates';
  if (/[/\\\u0000-\u001f\u007f]/.test(name))
    return 'must be a plain file name, with no folder and no control character';
  if (new TextEncoder().encode(name).length > fileNameLimitBytes)
    return `must be at most ${fileNameLimitBytes} bytes long`;
  const folded = name.toLowerCase();
  const taken = folded === manifestName || folded === ranksDirectory || folded.startsWith('.');
  const shard = folded.endsWith('.safetensors') || folded.endsWith('.safetensors.index.json');
  return taken || shard
    ? `must not be ${manifestName}, ${ranksDirectory}, .*, *.safetensors or their index`
    : undefined;
}

/** Whether {@link validateSideFileName} accepts it. */
export function isSideFileName(name: string): boolean {
  return sideFileFault(name) === undefined;
}

/**
 * Side files lie in the step's directory itself: plain names only, and none that Snapshard, or a reader of the shards,
 * takes for something else.
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_NAME`
 */
export function validateSideFileName(name: unknown): asserts name is string {
  const fault = sideFileFault(name);
  if (fault === undefined) return;
  throw new SnapshardError(
    'ERR_SNAPSHARD_INVALID_NAME',
    `The name of a side file ${fault}, but received ${describe(name)}.`,
  );
}
