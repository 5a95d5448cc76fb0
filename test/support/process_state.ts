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
  const tick_us = 10_000;
  return Object.values(process.cpuUsage()).every((time_us) => time_us % tick_us === 0);
}
