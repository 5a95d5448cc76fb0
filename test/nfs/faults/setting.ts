import { Export, fullSpeed, slowDown, type Client, type ExportOptions, type Version } from '../server.js';
import type { Trial } from '../trial.js';
import { withSavers, type Saver } from './saver.js';

/** An export, and one saver for each client on a mount of its own. */
export interface Setting {
  readonly exported: Export;
  readonly roots: readonly string[];
  readonly savers: readonly Saver[];
}

export interface SettingOptions extends ExportOptions {
  readonly clients?: readonly Client[];
  /** As of nfs(5). */
  readonly mountOptions?: readonly string[];
  /** Of the network of the first client; full speed by default. */
  readonly megabitPerSecond?: number;
}

/** Runs something in a fresh setting, of which nothing is left. */
export async function withSetting<T>(
  version: Version,
  { clients = [1], mountOptions = [], megabitPerSecond, ...options }: SettingOptions,
  work: (setting: Setting) => Promise<T>,
): Promise<T> {
  const exported = new Export(options);
  if (megabitPerSecond !== undefined) slowDown(1, megabitPerSecond);
  try {
    const roots = clients.map((client) => exported.mount(client, version, ...mountOptions));
    return await withSavers(clients.length, (...savers) => work({ exported, roots, savers }));
  } finally {
    if (megabitPerSecond !== undefined) fullSpeed(1);
    exported.remove();
  }
}

/** The same trial for each version of NFS and each way to export. */
export function overAll(
  name: string,
  exportings: readonly string[],
  run: (version: Version, exporting: string) => Promise<string>,
): Trial[] {
  return (['4.2', '3'] as const).flatMap((version) =>
    exportings.map((exporting) => ({
      mounts: `NFS ${version}, ${exporting}`,
      name,
      run: () => run(version, exporting),
    })),
  );
}
