/**
 * Tells which of the sanitizers' reports in a folder are about the add-on: `node reports.mjs FOLDER`. Exit status 1
 * where any is.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2];
const addon = /snapshard\.node|\/native\/(?:addon|base|codec|device|io|memory|napi|transfer)\b|\/planted\.cc/;

/** V8 leaves behind what it keeps for itself when a process exits, also what a call of ours made it allocate. */
function isOurLeak(part) {
  const frames = part.split('\n').filter((line) => /^\s+#\d+ /.test(line));
  const first = frames.findIndex((frame) => addon.test(frame));
  return first >= 0 && !frames.slice(0, first).some((frame) => / in v8::/.test(frame));
}

/** A report of leaks lists all that the process left. */
function leaksIn(text) {
  return text.split(/\n\n/).filter((part) => /^(?:Direct|Indirect) leak of/m.test(part) && isOurLeak(part));
}

function findingsIn(text) {
  if (text.includes('ThreadSanitizer')) {
    return text.split(/^={18}\n/m).filter((part) => part.includes('ThreadSanitizer:') && addon.test(part));
  }
  // One file has all that one process was told of.
  const errors = text.split(/(?=^==\d+==ERROR: )/m).filter((part) => /ERROR: |runtime error: /.test(part));
  return errors.flatMap((part) => (part.includes('LeakSanitizer: detected') ? leaksIn(part) : [part]));
}

const files = readdirSync(folder);
const findings = files.flatMap((name) => {
  return findingsIn(readFileSync(join(folder, name), 'utf8')).map((text) => `${name}:\n${text}`);
});
if (findings.length > 0) console.log(findings.join('\n\n'));
console.log(`sanitizers: ${files.length} reports, of which ${findings.length} about the add-on`);
process.exitCode = findings.length === 0 ? 0 : 1;
