import { readdirSync, readlinkSync } from 'node:fs';

/** What the open descriptors of this process stand for, without those that come and go with Node.js. */
export function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${descriptor}`);
      return /^(socket|pipe):/.test(target) || /^\/(proc|sys)\//.test(target) ? [] : [target];
    } catch {
      return [];
    }
  });
}

/** Whether the kernel counts processor time in whole ticks, so that what is short takes none. */
export function countsTicks(): boolean {
  const spin_ms = 2;
  const before = process.cpuUsage();
  const end_ms = performance.now() + spin_ms;
  while (performance.now() < end_ms);
  const { user, system } = process.cpuUsage(before);
  return user + system === 0 || user + system > 2 * spin_ms * 1000;
}
