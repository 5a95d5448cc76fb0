import { readFileSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { htmlPage } from '../bench/report/index.js';
import type { TuneResult } from '../bench/result.js';
import { optionsFileText } from '../options/options_file.js';
import { invalid } from '../options/validate.js';
import { requireOutputs } from './bench_options.js';
import type { Terminal } from './terminal.js';

export interface TuneFiles {
  readonly out?: string;
  readonly json?: string;
  readonly html?: string;
}

/**
 * Says at once what would be said after all has been measured.
 * @throws {SnapshardError} as `requireOutputs`; `INVALID_ARGUMENT` where `out` is a file of somebody else's
 */
export function checkFiles({ out, json, html }: TuneFiles): void {
  requireOutputs([out, json, html]);
  if (out !== undefined) requireOptionsFile(out);
}

export async function writeFiles(result: TuneResult, { out, json, html }: TuneFiles, terminal: Terminal): Promise<void> {
  const texts: [path: string | undefined, text: () => string][] = [
    [out, () => optionsFileText(result.chosen, measuredOf(result))],
    [json, () => `${JSON.stringify(result)}\n`],
    [html, () => htmlPage({ tune: result })],
  ];
  for (const [path, text] of texts) {
    if (path === undefined) continue;
    await writeFile(path, text());
    terminal.note(`wrote ${path}`);
  }
}

/** For whoever finds the file later. */
function measuredOf({ createdAt, target, machine, workload, versions, findings }: TuneResult): Record<string, unknown> {
  const { path, fileSystem, source, device } = target;
  const { cpu, cores } = machine;
  const where = { path, fileSystem, source, device };
  return { at: createdAt, target: where, machine: { cpu, cores }, versions, workload: workload.label, verdict: findings[0] };
}

function requireOptionsFile(path: string): void {
  const text = statSync(path, { throwIfNoEntry: false }) === undefined ? '' : readFileSync(path, 'utf8');
  if (text === '' || /"format"\s*:\s*"snapshard-options-/.test(text)) return;
  throw invalid(`${path} is there, and is no options file: it is not overwritten. Name another file, or remove it.`);
}
