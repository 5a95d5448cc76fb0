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

/** Builds all that stands beside the shards, giving way to the event loop. */
export async function composeManifests(parts: ManifestParts, result: TransferResult): Promise<ComposedManifests> {
  const { request, plan, time, writer } = parts;
  const { sliceDigests, fileDigests, chunkDigests } = result;
  const index = await buildIndex(plan);
  const sideFiles = request.files.map(({ name, contents }) => ({ path: name, contents }));
  const indexFiles = index === undefined ? [] : [{ path: index.path, contents: index.bytes }];
  const rankManifest = {
    path: rankManifestName(rank),
    contents: await fillRankManifest(plan, { writer, sliceDigests, fileDigests }),
  };
  const digests = { path: rankDigestsName(rank), contents: chunkDigests };
  const manifest = encodeManifest(
    {
      step: request.step,
      time,
      worldSize,
      metadata: request.metadata,
      files: sideFiles.map(listed),
      ranks: [{ rank, manifest: listed(rankManifest), digests: listed(digests) }],
      indexes: indexFiles.map(listed),
    },
    (bytes) => binding.digest(bytes),
  );
  const last = { path: manifestName, contents: manifest.bytes };
  return { files: [...sideFiles, ...indexFiles, digests, rankManifest, last], manifest };
}

function listed(file: StoreFile): ListedFile {
  return { name: file.path, bytes: file.contents.byteLength, digest: binding.digest(file.contents) };
}
