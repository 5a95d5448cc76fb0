import type { SaveKey } from '../layout/names.js';
import type { Interruption } from '../store/protocol.js';
import type { Backoff } from './backoff.js';
import type { Session } from './session.js';

/** What each rank's part of a save is made from. */
export interface SharedSaveParts {
  readonly session: Session;
  readonly key: SaveKey;
  readonly interruption: Interruption;
  readonly backoff: Backoff;
  /** See `SaveProtocol`. */
  readonly margin_ms: number;
}
