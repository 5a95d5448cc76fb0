import { readFileSync, writeFileSync } from 'node:fs';

function statusBytes(field: string): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(match?.[1] ?? 0) * 1024;
}

export function residentBytes(): number {
  return statusBytes('VmRSS');
}

/** The peak since {@link forgetPeak}. */
export function peakResidentBytes(): number {
  return statusBytes('VmHWM');
}

export function forgetPeak(): void {
  writeFileSync('/proc/self/clear_refs', '5');
}

/** Bytes that this process has had read from devices so far, by all its threads. */
export function readFromDiskBytes(): number {
  const match = /^read_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'));
  return Number(match?.[1] ?? 0);
}
