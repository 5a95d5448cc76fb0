/** `process.env`, or a stand-in for it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** How one launcher tells a process which rank it is. */
export interface Launcher {
  readonly name: string;
  /** Whether its variables, where they are set, are about this process. Default: they are. */
  readonly concerns?: (environment: Environment) => boolean;
  /** Variable with the rank, from 0. */
  readonly rank: string;
  /** Variable with the number of ranks. */
  readonly worldSize?: string;
  /** Variable with the number of ranks on this host. */
  readonly localSize?: string;
  /** Variable with the number of hosts. */
  readonly hosts?: string;
  /** What all ranks of a run have in common, no other run has, and restarts of the run keep. */
  readonly runId?: (environment: Environment) => string | undefined;
  /** What to do where it gives only half of rank and world size. */
  readonly halfRemedy?: string;
  /** What to do where it gives no id of the run. */
  readonly runIdRemedy?: string;
}

/** Slurm numbers from here on what is no step of tasks: batch scripts, interactive shells, prologues. */
const slurmSpecialSteps = 0xfffffff0;

/** An empty variable counts as not set. */
export function variable(environment: Environment, name: string): string | undefined {
  const value = environment[name];
  return value === '' ? undefined : value;
}

/** Whether the process is a task of `srun`, and not the job's batch script or shell, where the rank is always 0. */
function isSlurmTask(environment: Environment): boolean {
  const step = variable(environment, 'SLURM_STEP_ID');
  return step !== undefined && Number(step) < slurmSpecialSteps;
}

function isTorchrun(environment: Environment): boolean {
  return variable(environment, 'TORCHELASTIC_RUN_ID') !== undefined;
}

/** `none` is what torchrun sets where it was given no id: no identity at all. */
function torchrunRunId(environment: Environment): string | undefined {
  const id = variable(environment, 'TORCHELASTIC_RUN_ID');
  return id === 'none' ? undefined : id;
}

/** Version 5 sets the namespace only; before, it is the number of the job, which has a variable of its own as well. */
function openMpiRunId(environment: Environment): string | undefined {
  const id = variable(environment, 'PMIX_NAMESPACE') ?? variable(environment, 'OMPI_MCA_ess_base_jobid');
  return id === undefined ? undefined : `openmpi-${id}`;
}

/** A requeued job keeps its number and counts its steps anew, so the run keeps its id. */
function slurmRunId(environment: Environment): string | undefined {
  const job = variable(environment, 'SLURM_JOB_ID');
  return job === undefined ? undefined : `slurm-${job}.${variable(environment, 'SLURM_STEP_ID')}`;
}

/**
 * All launchers that are understood. Those that run inside another come first: where several give an id of the run,
 * the innermost one's is taken, which is the same on all ranks.
 */
export const launchers: readonly Launcher[] = [
  {
    name: 'torchrun',
    concerns: isTorchrun,
    rank: 'RANK',
    worldSize: 'WORLD_SIZE',
    localSize: 'LOCAL_WORLD_SIZE',
    runId: torchrunRunId,
    runIdRemedy: 'torchrun names all runs "none" (TORCHELASTIC_RUN_ID) unless it is started with --rdzv-id=<name>.',
  },
  {
    name: "PyTorch's convention",
    concerns: (environment) => !isTorchrun(environment),
    rank: 'RANK',
    worldSize: 'WORLD_SIZE',
    localSize: 'LOCAL_WORLD_SIZE',
  },
  {
    name: 'Open MPI',
    rank: 'OMPI_COMM_WORLD_RANK',
    worldSize: 'OMPI_COMM_WORLD_SIZE',
    localSize: 'OMPI_COMM_WORLD_LOCAL_SIZE',
    runId: openMpiRunId,
  },
  {
    name: 'MPICH or Intel MPI',
    rank: 'PMI_RANK',
    worldSize: 'PMI_SIZE',
    localSize: 'MPI_LOCALNRANKS',
  },
  {
    // Not SLURM_NTASKS and SLURM_NNODES: in a batch script, and after `srun --preserve-env`, they are the whole job's.
    name: 'Slurm',
    concerns: isSlurmTask,
    rank: 'SLURM_PROCID',
    worldSize: 'SLURM_STEP_NUM_TASKS',
    hosts: 'SLURM_STEP_NUM_NODES',
    runId: slurmRunId,
  },
  {
    name: 'Kubernetes',
    rank: 'JOB_COMPLETION_INDEX',
    halfRemedy: 'Or set WORLD_SIZE to the number of completions in the manifest of the Job.',
    runIdRemedy: 'Kubernetes sets none: hand the uid of the Job to the container, and pass that.',
  },
];
