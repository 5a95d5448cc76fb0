import { describe, expect, it } from 'vitest';
import { treeOf, type TreeNode, type TreeTensor } from '../../lib/cli/tree.js';
import { treeLines } from '../../lib/cli/tree_lines.js';

function tensor(name: string, elements = 4): TreeTensor {
  return { name, dtype: 'F32', shape: [elements], bytes: 4 * elements };
}

/** `label(tensors, bytes)` of a node, and its children in brackets. */
function outline(node: TreeNode): string {
  const own = `${node.label}(${node.alike === 1 ? '' : `${node.alike}x`}${node.tensors}, ${node.bytes})`;
  return node.children.length === 0 ? own : `${own}[${node.children.map(outline).join(' ')}]`;
}

describe('the tree of names', () => {
  it('sums what is below a prefix', () => {
    expect(outline(treeOf(['a.x', 'a.y', 'b/z'].map((name) => tensor(name))))).toBe(
      '(3, 48)[a.(2, 32)[x(1, 16) y(1, 16)] b/z(1, 16)]',
    );
  });

  it('counts in numbers, not in characters', () => {
    const names = ['l.10.w', 'l.9.w', 'l.9.b'].map((name) => tensor(name));
    expect(outline(treeOf(names))).toBe('(3, 48)[l.(3, 48)[9.(2, 32)[b(1, 16) w(1, 16)] 10.w(1, 16)]]');
  });

  it('tells neighbours that are alike once, and only those', () => {
    const layers = [0, 1, 2, 3].flatMap((layer) => [tensor(`l.${layer}.a`), tensor(`l.${layer}.b`, layer === 2 ? 5 : 4)]);
    expect(outline(treeOf([...layers, tensor('h')]))).toBe(
      '(9, 148)[h(1, 16) l.(8, 132)[0 … 1.(2x2, 32)[a(1, 16) b(1, 16)] 2.(2, 36)[a(1, 16) b(1, 20)] 3.(2, 32)[a(1, 16) b(1, 16)]]]',
    );
  });

  it('keeps a tensor whose name begins the names of others', () => {
    expect(outline(treeOf(['a.', 'a.b', 'a.c'].map((name) => tensor(name))))).toBe(
      '(3, 48)[a.(3, 48)[(1, 16) b(1, 16) c(1, 16)]]',
    );
  });

  it('takes names of a single tensor, of thousands of parts, and of none', () => {
    expect(outline(treeOf([tensor('only')]))).toBe('(1, 16)[only(1, 16)]');
    expect(treeOf([tensor('a.'.repeat(10_000)), tensor('a.'.repeat(9_999))]).tensors).toBe(2);
    expect(treeOf([]).tensors).toBe(0);
    expect(treeOf([tensor('...'), tensor('')]).tensors).toBe(2);
  });

  it('prints levels up to a depth', () => {
    const root = treeOf(['a.x.0', 'a.x.1', 'a.y', 'b'].map((name) => tensor(name)));
    expect(treeLines(root, 2, 100)).toEqual([
      'tensor  tensors    size  dtype  shape',
      'a.            3  48 B',
      '  x.          2  32 B',
      '  y           1  16 B    F32    [4]',
      'b             1  16 B    F32    [4]',
    ]);
    expect(treeLines(root, Infinity, 100)[3]).toContain('0 … 1  (2 alike, each:)');
  });
});
