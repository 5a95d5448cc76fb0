/** Tells which of the sanitizers' reports in a folder are about the add-on: `node reports.mjs FOLDER`. Exit status 1 where any is. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2];
const addon = /snapshard\.node|\/native\/(?:addon|base|codec|device|io|memory|napi|transfer)\b/;

/** A report of leaks lists those of Node.js too. */
function leaksIn(text) {
  return text.split(/\n\n/).filter((part) => /^(?:Direct|Indirect) leak of/m.test(part) && addon.test(part));
}

function findingsIn(text) {
  if (text.includes('ThreadSanitizer')) {
    return text.split(/^={18}\n/m).filter((part) => part.includes('ThreadSanitizer:') && addon.test(part));
  }
  const errors = text.split(/(?=^==\d+==ERROR: LeakSanitizer)/m);
  return errors.flatMap((part) => (part.includes('ERROR: LeakSanitizer: detected') ? leaksIn(part) : [part]));
}

const files = readdirSync(folder);
const findings = files.flatMap((name) => {
  const found = findingsIn(readFileSync(join(folder, name), 'utf8'));
  return found.filter((text) => text.trim() !== '').map((text) => `${name}:\n${text}`);
});
console.log(findings.join('\n\n'));
console.log(`sanitizers: ${files.length} reports, of which ${findings.length} findings`);
process.exitCode = findings.length === 0 ? 0 : 1;
