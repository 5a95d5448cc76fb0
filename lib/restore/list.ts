import { join } from 'node:path';
import type { Metadata } from '../layout/metadata.js';
import { TimeSlices } from '../layout/time_slices.js';
import { requireRoot } from '../store/arguments.js';
import { NativeStore } from '../store/native_store.js';
import { type Look, lookAt, type StepName, stepNames } from '../store/published.js';
import type { Store } from '../store/store.js';

/** A published checkpoint of a root, as its manifest tells of it. */
export interface ListedCheckpoint {
  /** Absolute. */
  readonly path: string;
  /** Of its directory. */
  readonly name: string;
  readonly step: number;
  /** 1, or more for one that replaced another. */
  readonly generation: number;
  /** Why it cannot be used, as far as its manifest tells; `undefined` where that is intact: then all below is known. */
  readonly damaged: string | undefined;
  /** When the save was asked for. */
  readonly time: Date | undefined;
  readonly worldSize: number | undefined;
  readonly metadata: Metadata | undefined;
  /** Of its manifest, which covers all else. */
  readonly digest: string | undefined;
}

/** How often a root is listed anew because something in it was removed or replaced while it was looked at. */
const looksMax = 10;

function listed(root: string, step: StepName, look: Exclude<Look, { kind: 'gone' }>): ListedCheckpoint {
  const { name, generation } = step;
  const place = { path: join(root, name), name, step: step.step, generation };
  if (look.kind === 'damaged') {
    return {
      ...{ ...place, damaged: look.reason },
      ...{ time: undefined, worldSize: undefined, metadata: undefined, digest: undefined },
    };
  }
  const { time, worldSize, metadata, digest } = look.manifest;
  return { ...place, damaged: undefined, time, worldSize, metadata, digest };
}

interface Listing {
  /** Newest first. */
  readonly checkpoints: ListedCheckpoint[];
  /** Whether something was removed or replaced meanwhile. */
  readonly changed: boolean;
}

/** @param known from looks before */
async function listOnce(store: Store, known: Map<string, ListedCheckpoint>): Promise<Listing> {
  const slices = new TimeSlices();
  const checkpoints: ListedCheckpoint[] = [];
  let changed = false;
  let done: number | undefined;
  for (const step of stepNames(await store.listRoot())) {
    if (step.step === done) continue;
    let checkpoint = known.get(step.name);
    if (checkpoint === undefined) {
      const look = await lookAt(store, step, slices);
      if (look.kind === 'gone') {
        changed = true;
        continue;
      }
      checkpoint = listed(store.root, step, look);
      known.set(step.name, checkpoint);
    }
    checkpoints.push(checkpoint);
    if (checkpoint.damaged === undefined) done = step.step;
  }
  return { checkpoints, changed };
}

/**
 * The checkpoints of a root by step and generation, the newest last. Of each step that is the highest generation whose
 * manifest is intact, and any damaged ones above it. Only manifests are read, and what is half-written is left out.
 * @param root the directory that holds the checkpoints
 * @throws {SnapshardError} `ERR_SNAPSHARD_NOT_FOUND` where there is no such directory
 */
export async function listCheckpoints(root: string): Promise<ListedCheckpoint[]> {
  requireRoot(root);
  const store = await NativeStore.open(root, 'use');
  try {
    const known = new Map<string, ListedCheckpoint>();
    let listing = await listOnce(store, known);
    for (let look = 1; listing.changed && look < looksMax; look += 1) listing = await listOnce(store, known);
    return listing.checkpoints.reverse();
  } finally {
    await store.close();
  }
}
