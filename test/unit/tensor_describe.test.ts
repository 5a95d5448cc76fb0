import { describe as group, expect, it } from 'vitest';
import { describe } from '../../lib/tensor/describe.js';

function throwing(): never {
  throw new Error('on purpose');
}

const named = (name: unknown): object => {
  const made = class extends Object {};
  Object.defineProperty(made, 'name', { value: name });
  return new made();
};
const cases: [() => unknown, string][] = [
  [() => named('Tensor'), 'an instance of Tensor'],
  [() => named(Symbol('odd')), 'an object'],
  [() => named({ toString: throwing }), 'an object'],
  [() => Object.create(null) as unknown, 'an object'],
  [() => Symbol('odd'), 'Symbol(odd)'],
  [() => [1, 2], '[1, 2]'],
  [() => ['a'], 'an array of 1'],
  [() => ({ get constructor(): unknown { return throwing(); } }), 'an object that cannot be looked at'],
  [() => new Proxy({}, { get: throwing }), 'an object that cannot be looked at'],
  [() => revoked.proxy, 'an object that cannot be looked at'],
];
const revoked = Proxy.revocable([], {});
revoked.revoke();

group('describe', () => {
  it.each(cases)('case %#', (make, words) => {
    expect(describe(make())).toBe(words);
  });
});
