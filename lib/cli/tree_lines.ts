import { tableLines } from './table.js';
import { printable, shapeText, sizeText } from './text.js';
import type { TreeNode } from './tree.js';

interface Line {
  readonly label: string;
  readonly node: TreeNode;
}

/** Each node below the root in a line of its own, down to some level. */
export function treeLines(root: TreeNode, depth: number, width: number): string[] {
  const lines: Line[] = [];
  const walk = (nodes: readonly TreeNode[], level: number): void => {
    for (const node of nodes) {
      const alike = node.alike > 1 ? `  (${node.alike} alike, each:)` : '';
      lines.push({ label: `${'  '.repeat(level)}${printable(node.label)}${alike}`, node });
      if (level + 1 < depth) walk(node.children, level + 1);
    }
  };
  walk(root.children, 0);
  return tableLines(
    [
      { title: 'tensor', flexible: true, text: ({ label }) => label },
      { title: 'tensors', align: 'right', text: ({ node }) => String(node.tensors) },
      { title: 'size', align: 'right', text: ({ node }) => sizeText(node.bytes) },
      { title: 'dtype', text: ({ node }) => node.tensor?.dtype ?? '' },
      { title: 'shape', text: ({ node }) => (node.tensor === undefined ? '' : shapeText(node.tensor.shape)) },
      { title: '', text: ({ node }) => node.tensor?.note ?? '' },
    ],
    lines,
    width,
  );
}
