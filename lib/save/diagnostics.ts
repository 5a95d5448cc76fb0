import { channel } from 'node:diagnostics_channel';
import type { Published } from './published.js';

/** Message of the channel `snapshard:save:published`: every save that was published. */
export interface PublishedMessage {
  readonly root: string;
  readonly published: Published;
}

/** Message of the channel `snapshard:save:failed`: every save that failed while nobody had taken up its promises. */
export interface FailedMessage {
  readonly root: string;
  readonly step: number;
  readonly error: unknown;
}

const publishedChannel = channel('snapshard:save:published');
const failedChannel = channel('snapshard:save:failed');

export function tellPublished(message: PublishedMessage): void {
  publishedChannel.publish(message);
}

export function tellFailed(message: FailedMessage): void {
  failedChannel.publish(message);
}
