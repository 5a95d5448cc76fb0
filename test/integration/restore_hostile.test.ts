import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { MiB } from '../support/bytes.js';
import { runChild } from '../support/child.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
const corpus = fileURLToPath(new URL('../corpus', import.meta.url));
const codes = ['ERR_SNAPSHARD_CORRUPT', 'ERR_SNAPSHARD_UNKNOWN_DTYPE', 'ERR_SNAPSHARD_UNSUPPORTED_VERSION'];

describe('what is hostile', () => {
  it('is refused with a code, in bounded time and memory: the corpus', async () => {
    const argument = { corpus, folder: root.path };
    const { code, signal, messages, output } = await runChild('hostile_corpus', argument, { timeoutMs: 60_000 });
    expect({ code, signal, output }).toEqual({ code: 0, signal: null, output: '' });
    const [{ outcomes, peakBytes }] = messages as [{ outcomes: Record<string, string>; peakBytes: number }];
    const { many, ...refused } = outcomes;
    const files = readdirSync(corpus, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('.'));
    expect(Object.keys(refused).sort()).toEqual([...files, 'longest'].sort());
    expect(Object.entries(refused).filter(([, outcome]) => !codes.includes(outcome))).toEqual([]);
    expect(many).toBe('opened, with 1 tensors');
    // Node itself, and the longest header.
    expect(peakBytes).toBeLessThan(500 * MiB);
  });

  it('crashes nothing, and writes nowhere but to the target, whatever was changed', async () => {
    const argument = { folder: root.path, runs: 1000 };
    const { code, signal, messages, output } = await runChild('hostile_changes', argument, { timeoutMs: 90_000 });
    expect({ code, signal, output }).toEqual({ code: 0, signal: null, output: '' });
    const [told] = messages as [Record<'opened' | 'refused' | 'read' | 'notRead' | 'peakBytes', number> & { failure: string }];
    expect(told.failure).toBe('');
    expect(Math.min(told.opened, told.refused, told.read, told.notRead)).toBeGreaterThan(50);
    expect(told.peakBytes).toBeLessThan(500 * MiB);
  });
});
