import type { Answer, Operation } from './tree.js';

/** Its effect is for a power loss to show, and for nothing else. */
export function isRootSync(operation: Operation): boolean {
  return operation.call === 'syncDirectories' && operation.paths.every((path) => path === '');
}

/** Names that no rank looks for in a list. */
export function isPrivateName(path: string): boolean {
  return /\.(tmp|digests|safetensors)$/.test(path);
}

export function isPrivate(operation: Operation): boolean {
  if (operation.call === 'writeFiles') return operation.files.every(({ path }) => isPrivateName(path));
  return operation.call === 'openFiles' || operation.call === 'syncDirectories';
}

export function describe(operation: Operation, answer: Answer): string {
  const names = 'value' in answer && Array.isArray(answer.value) ? answer.value : undefined;
  const told = names === undefined ? Object.values(answer) : [`[${names.join(' ')}]`];
  const parts = Object.values(operation);
  const asked = parts.map((part: unknown) => (typeof part === 'string' ? part : JSON.stringify(part)));
  return `${asked.join(' ')} -> ${told.map(String).join()}`;
}
