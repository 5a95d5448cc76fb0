import { binding, type TransferResult } from '../binding.js';
import { buildIndex } from '../layout/hf_index.js';
import { encodeManifest, type EncodedManifest, type ListedFile } from '../layout/manifest.js';
import { manifestName, rankDigestsName, rankManifestName } from '../layout/names.js';
import type { Plan } from '../layout/plan.js';
import { fillRankManifest, rankTemplateOf } from '../layout/rank_manifest.js';
import type { StoreFile } from '../store/store.js';
import type { CheckedRequest } from './request.js';

/** The only rank there is. */
const rank = 0;
const worldSize = 1;

export interface ManifestParts {
  readonly request: CheckedRequest;
  readonly plan: Plan;
  /** When the save was asked for. */
  readonly time: Date;
  /** Nonce of the writer. */
  readonly writer: string;
}

export interface ComposedManifests {
  /** Everything but the shards, the manifest last; paths relative to the step's directory. */
  readonly files: readonly StoreFile[];
  readonly manifest: EncodedManifest;
}

/** Builds what the plan alone decides, while the bytes are on their way. What fails here fails again when it is needed. */
export function prepareManifests({ plan, writer }: ManifestParts): void {
  buildIndex(plan)
    .then(() => rankTemplateOf(plan, writer))
    .catch(() => undefined);
}

/**
 * Builds all that stands beside the shards, giving way to the event loop.
 * @param save nonce of the save
 */
export async function composeManifests(
  parts: ManifestParts,
  save: string,
  result: TransferResult,
): Promise<ComposedManifests> {
  const { request, plan, time, writer } = parts;
  const { sliceDigests, fileDigests, chunkDigests } = result;
  const index = await buildIndex(plan);
  const sideFiles = request.files.map(({ name, contents }) => ({ path: name, contents }));
  const indexFiles = index === undefined ? [] : [{ path: index.path, contents: index.bytes }];
  const digests = { path: rankDigestsName(rank), contents: chunkDigests };
  const shared = { step: request.step, save, worldSize };
  const listedSideFiles = sideFiles.map(listed);
  const listedDigests = listed(digests);
  const rankResult = { writer, sliceDigests, fileDigests, ...shared, sideFiles: listedSideFiles, digests: listedDigests };
  const rankManifest = {
    path: rankManifestName(rank),
    contents: await fillRankManifest(plan, rankResult, digest),
  };
  const manifest = encodeManifest(
    {
      ...shared,
      time,
      metadata: request.metadata,
      files: listedSideFiles,
      ranks: [{ rank, manifest: listed(rankManifest), digests: listedDigests }],
      indexes: indexFiles.map(listed),
    },
    digest,
  );
  const last = { path: manifestName, contents: manifest.bytes };
  return { files: [...sideFiles, ...indexFiles, digests, rankManifest, last], manifest };
}

const digest = (bytes: Uint8Array): string => binding.digest(bytes);

function listed({ path, contents }: StoreFile): ListedFile {
  return { name: path, bytes: contents.byteLength, digest: digest(contents) };
}
