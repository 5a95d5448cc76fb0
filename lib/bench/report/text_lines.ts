import { factLines } from '../../cli/table.js';
import { printable, wrapWords } from '../../cli/text.js';
import type { Fact } from './conditions.js';

/** As `factLines`, wrapped between words. */
export function conditionLines(facts: readonly Fact[], width: number): string[] {
  const room = width - Math.max(...facts.map(([key]) => key.length)) - 2;
  return factLines(
    facts.map(([key, value]) => [key, value.flatMap((line) => wrapWords(line, room))]),
    width,
  );
}

/** A sentence each, wrapped, the lines after its first one indented. */
export function listLines(sentences: readonly string[], width: number, mark: (index: number) => string): string[] {
  return sentences.flatMap((sentence, index) => {
    const head = mark(index);
    return wrapWords(printable(sentence), width - head.length).map(
      (line, place) => `${place === 0 ? head : ' '.repeat(head.length)}${line}`,
    );
  });
}

/** A heading, and its lines below an empty one; nothing where there are no lines. */
export function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', ...(title === '' ? [] : [title]), ...lines];
}

/** What `findings` say, numbered. */
export function findingLines(findings: readonly string[], width: number): string[] {
  return listLines(findings, width, (index) => `${index + 1}. `);
}
