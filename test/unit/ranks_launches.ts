import type { RankOptions, ResolvedRank } from '../../lib/ranks/environment.js';
import type { Environment } from '../../lib/ranks/launchers.js';

/** What the launchers set, as seen in processes that they started, or read in their sources. */
export const torchrun = {
  RANK: '3',
  LOCAL_RANK: '1',
  GROUP_RANK: '1',
  LOCAL_WORLD_SIZE: '2',
  WORLD_SIZE: '4',
  TORCHELASTIC_RESTART_COUNT: '0',
  TORCHELASTIC_RUN_ID: 'llama',
};
export const openMpi4 = {
  OMPI_COMM_WORLD_RANK: '1',
  OMPI_COMM_WORLD_SIZE: '2',
  OMPI_COMM_WORLD_LOCAL_SIZE: '2',
  OMPI_MCA_ess_base_jobid: '1157627905',
  PMIX_NAMESPACE: '1157627905',
  PMIX_RANK: '1',
};
const openMpi5 = { ...openMpi4, OMPI_MCA_ess_base_jobid: undefined, PMIX_NAMESPACE: 'prterun-host-4711@1' };
export const mpich = { PMI_RANK: '1', PMI_SIZE: '2', MPI_LOCALNRANKS: '2', MPI_LOCALRANKID: '1' };
const slurmJob = { SLURM_JOB_ID: '4711', SLURM_NNODES: '2', SLURM_NTASKS: '8' };
export const slurm = {
  ...slurmJob,
  SLURM_PROCID: '5',
  SLURM_STEP_ID: '0',
  SLURM_STEP_NUM_TASKS: '8',
  SLURM_STEP_NUM_NODES: '2',
};
/** A batch script that did not use srun. */
const batchScript = { ...slurmJob, SLURM_PROCID: '0' };
/** The shell of `salloc` on the first node: a step of one task, with a number that no step of tasks has. */
const interactiveShell = {
  ...batchScript,
  SLURM_STEP_ID: '4294967290',
  SLURM_STEP_NUM_TASKS: '1',
  SLURM_STEP_NUM_NODES: '1',
};
export const kubernetes = { JOB_COMPLETION_INDEX: '2' };

export interface Accepted {
  readonly what: string;
  readonly options?: RankOptions;
  readonly environment: Environment;
  readonly resolved: Omit<ResolvedRank, 'source' | 'severalHosts'>;
  readonly severalHosts?: boolean;
}

export const accepted: readonly Accepted[] = [
  { what: 'nothing', environment: {}, resolved: { rank: 0, worldSize: 1, runId: undefined } },
  {
    what: 'torchrun',
    environment: torchrun,
    resolved: { rank: 3, worldSize: 4, runId: 'llama' },
    severalHosts: true,
  },
  {
    what: 'torchrun on one host',
    environment: { ...torchrun, LOCAL_WORLD_SIZE: '4' },
    resolved: { rank: 3, worldSize: 4, runId: 'llama' },
  },
  {
    what: 'torchrun of one rank, without an id',
    environment: { ...torchrun, RANK: '0', WORLD_SIZE: '1', LOCAL_WORLD_SIZE: '1', TORCHELASTIC_RUN_ID: 'none' },
    resolved: { rank: 0, worldSize: 1, runId: undefined },
  },
  {
    what: "torchrun's default id, with the option",
    options: { runId: 'mine' },
    environment: { ...torchrun, TORCHELASTIC_RUN_ID: 'none' },
    resolved: { rank: 3, worldSize: 4, runId: 'mine' },
    severalHosts: true,
  },
  {
    what: 'torchrun in a batch script, whose SLURM_PROCID is that of the script',
    environment: { ...torchrun, ...batchScript },
    resolved: { rank: 3, worldSize: 4, runId: 'llama' },
    severalHosts: true,
  },
  {
    what: 'RANK and WORLD_SIZE of any other tool, with an option for the id',
    options: { runId: 'mine' },
    environment: { RANK: '1', WORLD_SIZE: '2' },
    resolved: { rank: 1, worldSize: 2, runId: 'mine' },
  },
  {
    what: 'Open MPI 4',
    environment: openMpi4,
    resolved: { rank: 1, worldSize: 2, runId: 'openmpi-1157627905' },
  },
  {
    what: 'Open MPI 5, on two hosts',
    environment: { ...openMpi5, OMPI_COMM_WORLD_LOCAL_SIZE: '1' },
    resolved: { rank: 1, worldSize: 2, runId: 'openmpi-prterun-host-4711@1' },
    severalHosts: true,
  },
  {
    what: 'Open MPI without a namespace',
    environment: { ...openMpi4, PMIX_NAMESPACE: '' },
    resolved: { rank: 1, worldSize: 2, runId: 'openmpi-1157627905' },
  },
  {
    what: 'an MPI program that nobody launched',
    environment: { OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '1', PMIX_NAMESPACE: '1' },
    resolved: { rank: 0, worldSize: 1, runId: undefined },
  },
  {
    what: 'MPICH',
    options: { runId: 'mine' },
    environment: mpich,
    resolved: { rank: 1, worldSize: 2, runId: 'mine' },
  },
  {
    what: 'srun',
    environment: slurm,
    resolved: { rank: 5, worldSize: 8, runId: 'slurm-4711.0' },
    severalHosts: true,
  },
  {
    what: 'srun with fewer tasks than the job, whose numbers it was told to preserve',
    environment: { ...slurm, SLURM_NTASKS: '64', SLURM_STEP_ID: '3', SLURM_STEP_NUM_NODES: '1' },
    resolved: { rank: 5, worldSize: 8, runId: 'slurm-4711.3' },
  },
  {
    what: 'srun in a job that was put into the queue again: still the same run',
    environment: { ...slurm, SLURM_RESTART_COUNT: '2' },
    resolved: { rank: 5, worldSize: 8, runId: 'slurm-4711.0' },
    severalHosts: true,
  },
  {
    what: 'srun with PMIx, whose namespace is not from Open MPI',
    environment: { ...slurm, PMIX_NAMESPACE: 'slurm.pmix.4711.0', PMIX_RANK: '5' },
    resolved: { rank: 5, worldSize: 8, runId: 'slurm-4711.0' },
    severalHosts: true,
  },
  {
    what: 'a batch script of one task',
    environment: { ...batchScript, SLURM_NTASKS: '1' },
    resolved: { rank: 0, worldSize: 1, runId: undefined },
  },
  {
    what: "a script that hands Slurm's numbers on as PyTorch's",
    environment: { ...slurm, RANK: '5', WORLD_SIZE: '8' },
    resolved: { rank: 5, worldSize: 8, runId: 'slurm-4711.0' },
    severalHosts: true,
  },
  {
    what: 'srun and torchrun, settled by options: the id of the inner one',
    options: { rank: 3, worldSize: 4 },
    environment: { ...slurm, ...torchrun },
    resolved: { rank: 3, worldSize: 4, runId: 'llama' },
  },
  {
    what: 'srun and torchrun without an id, settled by options',
    options: { rank: 3, worldSize: 4 },
    environment: { ...slurm, ...torchrun, TORCHELASTIC_RUN_ID: 'none' },
    resolved: { rank: 3, worldSize: 4, runId: 'slurm-4711.0' },
  },
  {
    what: 'a Kubernetes Job with options for what it does not say',
    options: { worldSize: 4, runId: 'uid' },
    environment: kubernetes,
    resolved: { rank: 2, worldSize: 4, runId: 'uid' },
  },
  {
    what: 'a Kubernetes Job with WORLD_SIZE in its manifest',
    options: { runId: 'uid' },
    environment: { ...kubernetes, WORLD_SIZE: '4' },
    resolved: { rank: 2, worldSize: 4, runId: 'uid' },
  },
  {
    what: 'one option that a launcher confirms',
    options: { rank: 3 },
    environment: { ...torchrun, LOCAL_WORLD_SIZE: '4' },
    resolved: { rank: 3, worldSize: 4, runId: 'llama' },
  },
  {
    what: 'a world of one, which leaves one rank only',
    options: { worldSize: 1 },
    environment: {},
    resolved: { rank: 0, worldSize: 1, runId: undefined },
  },
  {
    what: 'empty variables, which are none',
    environment: { RANK: '', WORLD_SIZE: '', SLURM_NTASKS: '', JOB_COMPLETION_INDEX: '' },
    resolved: { rank: 0, worldSize: 1, runId: undefined },
  },
];

export interface Refused {
  readonly what: string;
  readonly options?: RankOptions;
  readonly environment: Environment;
  /** Default: `INVALID_ARGUMENT`. */
  readonly code?: 'RANKS_DISAGREE';
  /** Parts of the message. */
  readonly says: readonly string[];
}

const bothOptions = 'Pass `rank` and `worldSize` to CheckpointWriter.open.';

export const refused: readonly Refused[] = [
  {
    what: 'srun that starts one torchrun for each node',
    environment: { ...torchrun, ...slurm, SLURM_PROCID: '1', SLURM_STEP_NUM_TASKS: '2' },
    code: 'RANKS_DISAGREE',
    says: ['RANK=3, WORLD_SIZE=4 (torchrun)', 'SLURM_PROCID=1, SLURM_STEP_NUM_TASKS=2 (Slurm)', bothOptions],
  },
  {
    what: 'two launchers with the same rank of different worlds',
    environment: { ...openMpi4, SLURM_STEP_ID: '1', SLURM_PROCID: '1', SLURM_STEP_NUM_TASKS: '4' },
    code: 'RANKS_DISAGREE',
    says: ['OMPI_COMM_WORLD_SIZE=2', 'SLURM_STEP_NUM_TASKS=4', bothOptions],
  },
  {
    what: 'an MPI program that nobody launched, in each task of a step',
    environment: { ...slurm, OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '1' },
    code: 'RANKS_DISAGREE',
    says: ['OMPI_COMM_WORLD_SIZE=1 (Open MPI)', 'SLURM_STEP_NUM_TASKS=8 (Slurm)'],
  },
  {
    what: 'torchrun in the pods of a Job',
    environment: { ...torchrun, ...kubernetes },
    code: 'RANKS_DISAGREE',
    says: ['RANK=3', 'JOB_COMPLETION_INDEX=2 (Kubernetes)', bothOptions],
  },
  {
    what: 'an option against the rank of a launcher',
    options: { rank: 2 },
    environment: torchrun,
    code: 'RANKS_DISAGREE',
    says: ['`rank` 2 (the options)', 'RANK=3'],
  },
  {
    what: 'an option against the world of a launcher',
    options: { worldSize: 8 },
    environment: torchrun,
    code: 'RANKS_DISAGREE',
    says: ['`worldSize` 8 (the options)', 'WORLD_SIZE=4'],
  },
  {
    what: 'a batch script that forgot srun',
    environment: batchScript,
    says: ['SLURM_NTASKS=8', 'srun', bothOptions],
  },
  { what: 'the shell of salloc', environment: interactiveShell, says: ['SLURM_NTASKS=8', 'srun', bothOptions] },
  { what: 'RANK alone', environment: { RANK: '0' }, says: ['RANK=0', 'the world size', bothOptions] },
  { what: 'WORLD_SIZE alone', environment: { WORLD_SIZE: '2' }, says: ['WORLD_SIZE=2', 'the rank', bothOptions] },
  { what: 'a Kubernetes Job', environment: kubernetes, says: ['JOB_COMPLETION_INDEX=2', 'WORLD_SIZE', 'manifest'] },
  { what: 'a rank as an option alone', options: { rank: 0 }, environment: {}, says: ['`rank` 0', 'the world size'] },
  { what: 'a rank that is no number', environment: { ...torchrun, RANK: 'zero' }, says: ['RANK="zero"', bothOptions] },
  { what: 'a negative rank', environment: { ...torchrun, RANK: '-1' }, says: ['RANK="-1"'] },
  { what: 'half a rank', environment: { ...torchrun, RANK: '1.5' }, says: ['RANK="1.5"'] },
  { what: 'a world of none', environment: { ...slurm, SLURM_STEP_NUM_TASKS: '0' }, says: ['SLURM_STEP_NUM_TASKS="0"'] },
  {
    what: 'a number of hosts that is none',
    environment: { ...slurm, SLURM_STEP_NUM_NODES: 'two' },
    says: ['SLURM_STEP_NUM_NODES="two"'],
  },
  {
    what: 'a world too large',
    environment: { ...torchrun, WORLD_SIZE: '100000' },
    says: ['WORLD_SIZE="100000"', '99999'],
  },
  {
    what: 'a rank behind the last',
    environment: { ...torchrun, RANK: '4' },
    says: ['Rank 4 of 4 (torchrun)', bothOptions],
  },
  {
    what: "torchrun's default id",
    environment: { ...torchrun, TORCHELASTIC_RUN_ID: 'none' },
    says: ['4 ranks', 'TORCHELASTIC_RUN_ID', '--rdzv-id', '`runId`'],
  },
  { what: 'no id at all', environment: { RANK: '0', WORLD_SIZE: '2' }, says: ['2 ranks', '`runId`'] },
  {
    what: 'a Kubernetes Job without an id',
    options: { worldSize: 4 },
    environment: kubernetes,
    says: ['uid of the Job', '`runId`'],
  },
  { what: 'options without an id', options: { rank: 0, worldSize: 2 }, environment: {}, says: ['`runId`'] },
  {
    what: 'options that cannot be',
    options: { rank: 2, worldSize: 2 },
    environment: {},
    says: ['Rank 2 of 2 (the options)'],
  },
  { what: 'a fraction as an option', options: { rank: 0.5 }, environment: {}, says: ['`rank`', '0.5'] },
  {
    what: 'too many ranks as an option',
    options: { worldSize: 100_000 },
    environment: {},
    says: ['`worldSize`', '99999'],
  },
  { what: 'an empty id as an option', options: { runId: '' }, environment: {}, says: ['`runId`', '""'] },
  { what: 'an id too long', options: { runId: 'x'.repeat(1001) }, environment: {}, says: ['`runId`', '1000'] },
];
