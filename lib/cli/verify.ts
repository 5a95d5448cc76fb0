import { basename } from 'node:path';
import type { Checkpoint } from '../restore/checkpoint.js';
import type { PassedOver } from '../restore/latest.js';
import type { Damage, VerifyReport } from '../restore/read_types.js';
import { ExitCode } from './exit_code.js';
import { open } from './open.js';
import { Progress, rateText } from './progress.js';
import { tableLines } from './table.js';
import type { Terminal } from './terminal.js';
import { count, printable, sizeIn, sizeText, wrapWords } from './text.js';

/** `snapshard verify` */
export async function verify(path: string, options: { readonly json?: true }, terminal: Terminal): Promise<ExitCode> {
  const signal = terminal.interruptible();
  await using checkpoint = await open(path, terminal);
  const report = await verifyShowing(checkpoint, signal);
  const newer = checkpoint.passedOver.filter(isPublished);
  const verified = { path: checkpoint.path, format: checkpoint.format, ...report };
  if (options.json) terminal.printJson({ ...verified, passedOver: newer });
  else terminal.print(verdictLines(verified, newer, terminal.width));
  return report.damaged.length + newer.length > 0 ? ExitCode.Finding : ExitCode.Fine;
}

/** A save that is under way was passed over, too, and is no finding. */
function isPublished({ path }: PassedOver): boolean {
  return !basename(path).startsWith('.');
}

/** What verifying one checkpoint told. */
export interface Verified extends VerifyReport {
  readonly seconds: number;
}

/** Verifies a checkpoint, and shows how far it has got. */
export async function verifyShowing(checkpoint: Checkpoint, signal: AbortSignal): Promise<Verified> {
  const began_ms = performance.now();
  const verification = checkpoint.verify({ signal });
  let progress: Progress | undefined;
  try {
    for await (const { bytes, totalBytes } of verification.progress()) {
      progress ??= new Progress('verify', totalBytes);
      progress.update(bytes);
    }
    return { ...(await verification), seconds: (performance.now() - began_ms) / 1000 };
  } finally {
    progress?.stop();
  }
}

/**
 * What is damaged, and a summary.
 * @param newer of the same root, which do not open
 */
export function verdictLines(
  { path, format, damaged, bytes, files, chunks, hasDigests, seconds }: Verified & Pick<Checkpoint, 'path' | 'format'>,
  newer: readonly PassedOver[],
  width: number,
): string[] {
  const found = [
    ...newer.flatMap((passed) => wrapWords(printable(`${passed.path} is damaged: ${passed.reason}`), width)),
    ...(damaged.length > 0 ? damageLines(damaged, width) : []),
  ];
  const verdict = damaged.length > 0 ? `damaged: ${count(damaged.length, 'place')}` : hasDigests ? 'fine' : 'readable';
  const read = `${sizeIn(bytes)} in ${count(files, 'file')} and ${count(chunks, 'chunk')}, ${rateText(bytes, seconds * 1000)}`;
  const trust = hasDigests ? '' : `; ${format} has no digests to compare with`;
  const summary = [...wrapWords(printable(path), width), `${verdict}: ${read}${trust}`];
  return [...found, ...(found.length > 0 ? [''] : []), ...summary];
}

/** A table for each reason; mostly there is one. */
function damageLines(damaged: readonly Damage[], width: number): string[] {
  const reasons = [...new Set(damaged.map(({ reason }) => reason))];
  return reasons.flatMap((reason) => [
    ...wrapWords(printable(`damaged: ${reason}`), width),
    ...tableLines(
      [
        { title: '  file', text: ({ file }) => `  ${printable(file)}` },
        { title: 'offset', align: 'right', text: ({ offset }) => String(offset) },
        { title: 'size', align: 'right', text: ({ bytes }) => sizeText(bytes) },
        { title: 'tensor', flexible: true, text: ({ tensor }) => (tensor === undefined ? '' : printable(tensor)) },
      ],
      damaged.filter((place) => place.reason === reason),
      width,
    ),
  ]);
}
