import { binding, type TransferResult } from '../binding.js';
import { buildIndex } from '../layout/hf_index.js';
import { rankDigestsName, rankManifestName } from '../layout/names.js';
import type { Plan } from '../layout/plan.js';
import { fillRankManifest, rankTemplateOf } from '../layout/rank_manifest.js';
import type { ListedContents, RankFiles } from '../store/protocol.js';
import type { CheckedRequest } from './request.js';

export interface ManifestParts {
  readonly request: CheckedRequest;
  readonly plan: Plan;
  /** Nonce of the writer. */
  readonly writer: string;
}

/** Builds what the plan alone decides, while the bytes are on their way. What fails here fails again when it is needed. */
export function prepareManifests({ plan, writer }: ManifestParts): void {
  buildIndex(plan)
    .then(() => rankTemplateOf(plan, writer))
    .catch(() => undefined);
}

/**
 * Builds all that this rank writes beside its shards, giving way to the event loop.
 * @param save nonce of the save
 */
export async function composeRankFiles(
  { request, plan, writer }: ManifestParts,
  save: string,
  { sliceDigests, fileDigests, chunkDigests }: TransferResult,
): Promise<RankFiles> {
  const { rank, worldSize } = plan;
  const { step } = request;
  const index = await buildIndex(plan);
  const sideFiles = request.files.map(({ name, contents }) => listedContents(name, contents));
  const digests = listedContents(rankDigestsName(rank), chunkDigests);
  const result = { writer, sliceDigests, fileDigests, step, save, worldSize, sideFiles, digests };
  const rankManifest = await fillRankManifest(plan, result, digest);
  return {
    sideFiles,
    indexes: index === undefined ? [] : [listedContents(index.path, index.bytes)],
    digests,
    manifest: listedContents(rankManifestName(rank), rankManifest),
  };
}

const digest = (bytes: Uint8Array): string => binding.digest(bytes);

function listedContents(name: string, contents: Uint8Array): ListedContents {
  return { name, bytes: contents.byteLength, digest: digest(contents), contents };
}
