import { accessSync, constants, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { optionsFileText } from '../options/options_file.js';
import { htmlPage } from '../bench/report/index.js';
import type { TuneResult } from '../bench/result.js';
import type { Writer } from '../bench/tune_points.js';
import { SnapshardError } from '../errors.js';

export interface TuneFiles {
  readonly out?: string | undefined;
  /** `-` is standard output. */
  readonly json?: string | undefined;
  readonly html?: string | undefined;
}

/** Says at once what would be said after all has been measured: that a file cannot be written, or is somebody else's. */
export function checkFiles({ out, json, html }: TuneFiles): void {
  for (const path of [out, json === '-' ? undefined : json, html]) {
    if (path !== undefined) requireWritable(path);
  }
  if (out !== undefined) requireOurs(out);
}

/** @returns what was written, for whoever reads the terminal */
export function writeFiles(result: TuneResult, { out, json, html }: TuneFiles): string[] {
  const written: string[] = [];
  const write = (path: string, text: string): void => {
    writeFileSync(path, text);
    written.push(path);
  };
  if (out !== undefined) write(out, optionsFileText(result.chosen as Writer, measuredOf(result)));
  if (json !== undefined && json !== '-') write(json, `${JSON.stringify(result, undefined, 2)}\n`);
  if (html !== undefined) write(html, htmlPage({ tune: result }));
  return written;
}

/** For whoever finds the file later. */
function measuredOf({ createdAt, target, machine, workload, versions, findings }: TuneResult): Record<string, unknown> {
  const { path, fileSystem, source, device } = target;
  const { cpu, cores, kernel } = machine;
  return { at: createdAt, target: { path, fileSystem, source, device }, machine: { cpu, cores, kernel }, workload: workload.label, versions, findings };
}

function requireWritable(path: string): void {
  const folder = dirname(resolve(path));
  try {
    accessSync(folder, constants.W_OK);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isDirectory()) throw refusal(`${path} is a folder: name a file in it.`, path);
  } catch (error) {
    if (error instanceof SnapshardError) throw error;
    throw refusal(`${path} cannot be written: ${(error as Error).message}. Choose another place.`, path);
  }
}

function requireOurs(path: string): void {
  const text = statSync(path, { throwIfNoEntry: false }) === undefined ? undefined : readFileSync(path, 'utf8');
  if (text === undefined || text === '' || /"format"\s*:\s*"snapshard-options-/.test(text)) return;
  throw refusal(`${path} is there, and no options file: it is not overwritten. Choose another name, or remove it.`, path);
}

function refusal(message: string, path: string): SnapshardError {
  return new SnapshardError('ERR_SNAPSHARD_INVALID_ARGUMENT', message, { path });
}
