export const manifestName = 'manifest.json';
export const ranksDirectory = 'ranks';

export interface StepDirectory {
  readonly step: number;
  /** 1 for the first, 2 for its replacement, … */
  readonly generation: number;
}

/** `step-0000001000`, and `step-0000001000.g2` for its replacement. */
export function stepDirectoryName(_step: number, _generation: number): string {
  throw new Error('being written');
}

/** The step and generation of a directory that {@link stepDirectoryName} named; `undefined` for any other name. */
export function parseStepDirectory(_name: string): StepDirectory | undefined {
  throw new Error('being written');
}

/** `.step-0000002000.<nonce>.partial`: a save under way. The nonce: lower-case letters and digits. */
export function partialDirectoryName(_step: number, _nonce: string): string {
  throw new Error('being written');
}

/** The step and nonce of a directory that {@link partialDirectoryName} named. */
export function parsePartialDirectory(_name: string): { readonly step: number; readonly nonce: string } | undefined {
  throw new Error('being written');
}

/** `.dead-<nonce>`: given up, or being deleted; anyone may remove it. */
export function deadDirectoryName(_nonce: string): string {
  throw new Error('being written');
}

export function isDeadDirectory(_name: string): boolean {
  throw new Error('being written');
}

/** `ranks/00000.json` */
export function rankManifestName(_rank: number): string {
  throw new Error('being written');
}

/** `ranks/00000.digests` */
export function rankDigestsName(_rank: number): string {
  throw new Error('being written');
}

/**
 * Side files lie in the step's directory itself: plain names only, and none that Snapshard uses.
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_NAME`
 */
export function validateSideFileName(_name: string): void {}
