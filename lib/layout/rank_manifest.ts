import type { Plan } from './plan.js';

export interface RankResult {
  /** Nonce of the writer: lower-case letters and digits. */
  readonly writer: string;
  /** 16 bytes a slice and 16 bytes a file, in file order. */
  readonly sliceDigests: Uint8Array;
  readonly fileDigests: Uint8Array;
}

/** `ranks/00000.json`. All but the digests is built once for a plan; both steps give way to the event loop. */
export function fillRankManifest(_plan: Plan, _result: RankResult): Promise<Uint8Array> {
  throw new Error('being written');
}
