import { compareNames } from './text.js';

/** What the tree shows of a tensor. */
export interface TreeTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** What else there is to say of it; told once only of neighbours of which the same is said. */
  readonly note?: string;
}

export interface TreeNode {
  /** Part of the names below it, with the dot or slash that ends it. */
  readonly label: string;
  /** How many neighbours look the same and are told by this one: layers, mostly. */
  readonly alike: number;
  readonly tensors: number;
  /** Of one of those that are alike. */
  readonly bytes: number;
  /** Set in leaves. */
  readonly tensor: TreeTensor | undefined;
  readonly children: readonly TreeNode[];
}

interface Draft {
  label: string;
  tensor: TreeTensor | undefined;
  readonly children: Map<string, Draft>;
}

/** What goes deeper is one label. */
const levelsMax = 32;

/** `layers.0.wq` as `layers.`, `0.`, `wq` */
function partsOf(name: string): string[] {
  const parts = name.match(/[^./]*[./]|[^./]+$/g) ?? [name];
  return parts.length <= levelsMax ? parts : [...parts.slice(0, levelsMax), parts.slice(levelsMax).join('')];
}

function draftOf(tensors: Iterable<TreeTensor>): Draft {
  const root: Draft = { label: '', tensor: undefined, children: new Map() };
  for (const tensor of tensors) {
    let node = root;
    for (const label of partsOf(tensor.name)) {
      let child = node.children.get(label);
      if (child === undefined) node.children.set(label, (child = { label, tensor: undefined, children: new Map() }));
      node = child;
    }
    node.tensor = tensor;
  }
  return root;
}

/** A node, and what is below it as text: labels, dtypes and shapes. */
interface Finished {
  readonly node: TreeNode;
  readonly inside: string;
}

/** A chain of only children is one node; a tensor whose name is the beginning of others' has a leaf beside them. */
function finish(draft: Draft): Finished {
  let { label, children, tensor } = draft;
  while (children.size === 1 && tensor === undefined) {
    const [only] = children.values();
    label += only!.label;
    ({ children, tensor } = only!);
  }
  if (children.size === 0) return leaf(label, tensor);
  const inner = foldAlike([...children.values()].sort(byLabel).map(finish));
  const all = tensor === undefined ? inner : [leaf('', tensor), ...inner];
  const nodes = all.map(({ node }) => node);
  const sum = (figure: (node: TreeNode) => number): number =>
    nodes.reduce((total, node) => total + figure(node) * node.alike, 0);
  const figures = { tensors: sum((node) => node.tensors), bytes: sum((node) => node.bytes) };
  const node = { label, alike: 1, ...figures, tensor: undefined, children: nodes };
  return { node, inside: all.map((child) => `${child.node.label}{${child.inside}}`).join() };
}

function byLabel(left: Draft, right: Draft): number {
  return compareNames(left.label, right.label);
}

function leaf(label: string, tensor: TreeTensor | undefined): Finished {
  const bytes = tensor?.bytes ?? 0;
  const node = { label, alike: 1, tensors: tensor === undefined ? 0 : 1, bytes, tensor, children: [] };
  return { node, inside: tensor === undefined ? '' : `${tensor.dtype} ${tensor.shape.join()} ${tensor.note ?? ''}` };
}

const numberedPattern = /^(\d+)(\D.*)?$/s;

/** Neighbours that differ in nothing but their leading number become one: `0 … 31`. */
function foldAlike(siblings: readonly Finished[]): Finished[] {
  const folded: { first: Finished; alike: number; key: string | undefined; last: string }[] = [];
  for (const sibling of siblings) {
    const [, number, rest = ''] = numberedPattern.exec(sibling.node.label) ?? [];
    const key = number === undefined ? undefined : `${rest}{${sibling.inside}}`;
    const before = folded.at(-1);
    if (key !== undefined && before?.key === key) {
      before.alike += 1;
      before.last = number!;
    } else {
      folded.push({ first: sibling, alike: 1, key, last: number ?? '' });
    }
  }
  return folded.map(({ first, alike, last }) => {
    if (alike === 1) return first;
    const label = first.node.label.replace(/^\d+/, (number) => `${number} … ${last}`);
    return { ...first, node: { ...first.node, label, alike } };
  });
}

/** Tensors by the parts of their names, which dots and slashes end. The root bears no label. */
export function treeOf(tensors: Iterable<TreeTensor>): TreeNode {
  const { node } = finish(draftOf(tensors));
  return node.label === '' ? node : { ...node, label: '', tensor: undefined, children: [node] };
}
