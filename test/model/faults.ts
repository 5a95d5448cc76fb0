/** What may go wrong, and how often in one schedule. */
export interface Faults {
  /** A process is gone, between two operations or in the middle of a write. */
  readonly crash: number;
  /** A crashed rank is started again, with the same run id. */
  readonly restart: number;
  /** All ranks are started again; those that are still there go on, or are frozen and go on at any later time. */
  readonly restartAll: number;
  readonly freeze: number;
  /** A deadline passes, though there was still something to do. */
  readonly deadline: number;
  readonly abort: number;
  /** The bytes of a rank cannot be read. */
  readonly failure: number;
  /** A write finds no space. */
  readonly noSpace: number;
  /** A list or a read shows an earlier moment; never one before what this rank saw or did last. */
  readonly stale: number;
  /** A list that runs while something is renamed shows neither name. */
  readonly neither: number;
  /** A rename that was done is answered with ENOENT, or with EEXIST. */
  readonly replay: number;
  /** What a live process holds is reclaimed: there are no locks, or two got one. */
  readonly steal: number;
}

export const noFaults: Faults = {
  crash: 0,
  restart: 0,
  restartAll: 0,
  freeze: 0,
  deadline: 0,
  abort: 0,
  failure: 0,
  noSpace: 0,
  stale: 0,
  neither: 0,
  replay: 0,
  steal: 0,
};
