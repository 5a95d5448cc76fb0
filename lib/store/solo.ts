import { binding } from '../binding.js';
import { encodeManifest } from '../layout/manifest.js';
import { manifestName, partialDirectoryName } from '../layout/names.js';
import { newNonce } from './nonce.js';
import type { Ending, Interruption, ListedContents, Publication, RankFiles, SaveFacts, SaveProtocol } from './protocol.js';
import { giveUp, preparePartial, publish } from './publish.js';
import type { Store, StoreFile } from './store.js';
import { explainTaken } from './taken.js';

/** A save of one process, which needs nobody's leave. */
export class Solo implements SaveProtocol {
  readonly nonce = newNonce();
  readonly path: string;
  readonly leads = true;
  readonly margin_ms = 0;
  readonly #store: Store;
  readonly #facts: SaveFacts;
  readonly #interruption: Interruption;
  #begun = false;

  constructor(store: Store, facts: SaveFacts, interruption: Interruption) {
    this.#store = store;
    this.#facts = facts;
    this.#interruption = interruption;
    this.path = partialDirectoryName(facts.step, this.nonce);
  }

  prepare(): Promise<void> {
    this.#begun = true;
    return preparePartial(this.#store, this.#facts.step, this.#facts.overwrite, this.nonce).made;
  }

  async publish(rankFiles: RankFiles): Promise<Publication> {
    const { step, time, metadata, overwrite } = this.#facts;
    const { sideFiles, indexes, digests, manifest: rankManifest } = rankFiles;
    const ranks = [{ rank: 0, manifest: rankManifest, digests }];
    const content = { step, time, metadata, worldSize: 1, save: this.nonce, ranks, files: sideFiles, indexes };
    const { bytes, digest } = encodeManifest(content, (text) => binding.digest(text));
    const files = [...sideFiles, ...indexes, digests, rankManifest].map(storeFile);
    const check = (): void => {
      this.#interruption.check();
    };
    const { name, superseded } = await publish(
      this.#store,
      { step, nonce: this.nonce, path: this.path },
      { files: [...files, { path: manifestName, contents: bytes }], manifest: bytes, overwrite, check },
    );
    return { name, digest, superseded };
  }

  async giveUp(failure: unknown): Promise<Ending> {
    if (!this.#begun) return { failure };
    const partial = { step: this.#facts.step, nonce: this.nonce, path: this.path };
    const explained = await explainTaken(this.#store, partial, failure);
    await giveUp(this.#store, partial);
    return { failure: explained };
  }
}

function storeFile({ name, contents }: ListedContents): StoreFile {
  return { path: name, contents };
}
