import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { runTogether, type TogetherOptions } from './child.js';
import { runCommand } from './command.js';
import { togetherSample, type Measured } from './measured.js';
import type { RankSample } from './result.js';
import type { WorkloadTensor } from './workload.js';

/** As `rivals.py` calls them. */
export const pythonWays = ['torch.save', 'save_file', 'dcp', 'dcp-2', 'dcp-hf', 'orbax', 'async_save'] as const;
export type PythonWay = (typeof pythonWays)[number];

// It is no module, so that it is not compiled: the one file serves both.
const program = fileURLToPath(new URL('../../lib/bench/rivals.py', import.meta.url));

const checkSchema = z.object({
  python: z.string(),
  /** Whether packages can be installed for it alone, as in a virtual environment. */
  own: z.boolean(),
  /** Whether PyTorch sees one. */
  gpu: z.boolean(),
  ways: z.record(z.string(), z.object({ missing: z.string().nullable(), packages: z.string() })),
  versions: z.record(z.string(), z.string()),
});

export interface PythonCheck {
  /** Why a way cannot be run, with the line that installs it; `undefined` where it can. */
  missing(way: PythonWay): string | undefined;
  gpu: boolean;
  versions: Record<string, string>;
}

/** Asks a Python what it has. That imports PyTorch, and takes seconds. */
export async function checkPython(python: string, signal: AbortSignal): Promise<PythonCheck> {
  try {
    const output = await runCommand(python, [program, 'check'], signal);
    const checked = checkSchema.parse(JSON.parse(output.trim().split('\n').at(-1)!));
    return {
      missing: (way) => missingText(python, checked, way),
      gpu: checked.gpu,
      versions: { python: checked.python, ...checked.versions },
    };
  } catch (error) {
    signal.throwIfAborted();
    const gone = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const reason = `${python} ${gone ? 'is not there' : `cannot be asked: ${firstLine(error)}`}`;
    return { missing: () => `${reason}: apt-get install -y python3-venv, or give --python`, gpu: false, versions: {} };
  }
}

function missingText(python: string, checked: z.infer<typeof checkSchema>, way: PythonWay): string | undefined {
  const found = checked.ways[way];
  if (found?.missing === null) return undefined;
  const { missing = 'it does not know this way', packages = '' } = found ?? {};
  const install = checked.own
    ? `${python} -m pip install ${packages}`
    : `${python} -m venv rivals && rivals/bin/pip install ${packages}, then --python rivals/bin/python`;
  return `${missing}: ${install}`;
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().split('\n').at(-1)!;
}

export interface PythonTrial {
  way: PythonWay;
  /** An empty folder for each process. */
  folders: readonly string[];
  /** What each process saves. */
  tensors: readonly (readonly WorkloadTensor[])[];
  seed: number;
  /** Where its tensors are: `cpu`, or `cuda:0`. Default `cpu`. */
  device?: string;
  /** How often the same tensors are saved. Default 1. */
  saves?: number;
}

interface PythonAnswer {
  saves: (RankSample & { startedAt_ms: number })[];
}

/** Saves with a process for each list of tensors; all begin together, each in a folder of its own. */
export async function runPython(python: string, trial: PythonTrial, options: TogetherOptions): Promise<Measured[]> {
  const { way, folders, tensors, seed, device = 'cpu', saves = 1 } = trial;
  const inputs = folders.map((folder, rank) => {
    return { way, folder, tensors: tensors[rank], seed: seed + rank, device, saves };
  });
  const answers = await runTogether<PythonAnswer>([python, program, 'save'], inputs, options);
  return Array.from({ length: saves }, (_, save) => {
    const startedAt_ms = Math.min(...answers.map((answer) => answer.saves[save]!.startedAt_ms));
    const samples = answers.map((answer): RankSample => {
      const { startedAt_ms: _, ...sample } = answer.saves[save]!;
      return sample;
    });
    return togetherSample(samples, new Date(startedAt_ms).toISOString());
  });
}
