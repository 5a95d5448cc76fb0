/** What others save with, each as its own documents say, and then synced. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { runTogether, scriptBeside, type TogetherOptions } from './child.js';
import type { Outcome, SaveEntry } from './entry.js';
import { togetherSample } from './measured.js';
import type { NodeRivalAnswer, NodeRivalInput, NodeWay } from './node_rival_trial.js';
import { runPython, type PythonCheck, type PythonWay } from './python.js';
import { describeWorkload, workloadTensors, type WorkloadSpec } from './workload.js';

interface Rival {
  readonly label: string;
  readonly way: { readonly node: NodeWay } | { readonly python: PythonWay; readonly packages: readonly string[] };
}

const rivals = {
  'node-writefile': { label: 'fs.promises.writeFile', way: { node: 'writeFile' } },
  'node-stream': { label: 'fs.createWriteStream', way: { node: 'createWriteStream' } },
  'torch.save': { label: 'torch.save', way: { python: 'torch.save', packages: ['torch'] } },
  safetensors: { label: 'safetensors save_file', way: { python: 'save_file', packages: ['safetensors', 'torch'] } },
  dcp: { label: 'PyTorch DCP, 1 thread', way: { python: 'dcp', packages: ['torch'] } },
  'dcp-2': { label: 'PyTorch DCP, 2 threads', way: { python: 'dcp-2', packages: ['torch'] } },
  'dcp-hf': { label: 'PyTorch DCP, HF writer', way: { python: 'dcp-hf', packages: ['torch', 'safetensors'] } },
  orbax: { label: 'Orbax', way: { python: 'orbax', packages: ['orbax-checkpoint', 'jax'] } },
} as const satisfies Record<string, Rival>;

export type RivalId = keyof typeof rivals;
export const rivalIds = Object.keys(rivals) as RivalId[];

/** Whether one of them is a Python program, so that there must be a {@link PythonCheck}. */
export function needPython(ids: readonly RivalId[]): boolean {
  return ids.some((id) => 'python' in rivals[id].way);
}

export interface RivalsPlace {
  readonly spec: WorkloadSpec;
  readonly python: string;
  readonly check: PythonCheck | undefined;
}

/** Of several ranks each saves its own tensors, in a folder of its own, and they need not agree on anything. */
export function rivalEntries(ids: readonly RivalId[], place: RivalsPlace): SaveEntry[] {
  const { bytes } = describeWorkload(place.spec);
  return ids.map((id): SaveEntry => {
    const { label, way }: Rival = rivals[id];
    const row = { id, kind: 'rival', phase: 'save', label } as const;
    if ('node' in way) return { row, bytes, run: (folder, options) => saveWithNode(way.node, folder, place, options) };
    const { python, packages } = way;
    const missing = place.check?.missing(python);
    const how = packages.map((name) => `${name} ${place.check?.versions[name] ?? ''}`).join(', ');
    return { row, missing, bytes, run: (folder, options) => saveWithPython(python, how, folder, place, options) };
  });
}

const script = scriptBeside(import.meta.url, 'node_rival_trial');

async function saveWithNode(
  way: NodeWay,
  folder: string,
  { spec }: RivalsPlace,
  options: TogetherOptions,
): Promise<Outcome> {
  const inputs = rankFolders(folder, spec).map((own, rank): NodeRivalInput => ({ way, folder: own, spec, rank }));
  const answers = await runTogether<NodeRivalAnswer>(script, inputs, options);
  const sample = togetherSample(answers.map((answer) => answer.sample), answers[0]!.startedAt);
  return { sample, how: `Node.js ${process.version}, then fsync` };
}

async function saveWithPython(
  way: PythonWay,
  how: string,
  folder: string,
  { spec, python }: RivalsPlace,
  options: TogetherOptions,
): Promise<Outcome> {
  const tensors = Array.from({ length: spec.ranks }, (_, rank) => workloadTensors(spec, rank));
  const trial = { way, folders: rankFolders(folder, spec), tensors, seed: spec.seed };
  const [sample] = await runPython(python, trial, options);
  return { sample: sample!, how: `${how}, then fsync` };
}

function rankFolders(folder: string, { ranks }: WorkloadSpec): string[] {
  return Array.from({ length: ranks }, (_, rank) => {
    const own = join(folder, `rank-${rank}`);
    mkdirSync(own);
    return own;
  });
}
