/**
 * JSON by another way than that of the library: `JSON.parse` decides what is JSON at all, and a few lines take apart
 * what is, keeping every key, also those that come twice, and numbers as they are written.
 */
export type Node =
  | { readonly kind: 'scalar'; readonly raw: string }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'list'; readonly items: Node[] }
  | { readonly kind: 'object'; readonly members: (readonly [key: string, value: Node])[] };

const tokenPattern = /"(?:[^"\\]|\\.)*"|[{}[\]]|[^\s{}[\],:"]+/g;

/** The tree of a text; `undefined` for bytes that are no JSON in UTF-8. */
export function treeOf(bytes: Uint8Array): Node | undefined {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    JSON.parse(text);
  } catch {
    return undefined;
  }
  return build(text.match(tokenPattern) ?? []);
}

function build(tokens: readonly string[]): Node | undefined {
  const open: { node: Node; key?: string | undefined }[] = [];
  let root: Node | undefined;
  for (const token of tokens) {
    if (token === '}' || token === ']') {
      open.pop();
      continue;
    }
    const holder = open.at(-1);
    if (holder?.node.kind === 'object' && holder.key === undefined) {
      holder.key = JSON.parse(token) as string;
      continue;
    }
    const node = nodeOf(token);
    if (holder === undefined) root = node;
    else if (holder.node.kind === 'list') holder.node.items.push(node);
    else if (holder.node.kind === 'object') {
      holder.node.members.push([holder.key ?? '', node]);
      holder.key = undefined;
    }
    if (node.kind === 'list' || node.kind === 'object') open.push({ node });
  }
  return root;
}

function nodeOf(token: string): Node {
  if (token === '{') return { kind: 'object', members: [] };
  if (token === '[') return { kind: 'list', items: [] };
  return token.startsWith('"') ? { kind: 'string', text: JSON.parse(token) as string } : { kind: 'scalar', raw: token };
}

export interface Facts {
  readonly depth: number;
  readonly keyTwice: boolean;
  readonly loneSurrogate: boolean;
}

/** What strict readers refuse in what is JSON all the same. */
export function factsOf(root: Node): Facts {
  const facts = { depth: 0, keyTwice: false, loneSurrogate: false };
  const left: [node: Node, depth: number][] = [[root, 0]];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [node, depth] = next;
    if (node.kind === 'string') facts.loneSurrogate ||= !node.text.isWellFormed();
    if (node.kind !== 'list' && node.kind !== 'object') continue;
    facts.depth = Math.max(facts.depth, depth + 1);
    if (node.kind === 'object') {
      const keys = node.members.map(([key]) => key);
      facts.keyTwice ||= new Set(keys).size < keys.length;
      facts.loneSurrogate ||= keys.some((key) => !key.isWellFormed());
    }
    for (const child of node.kind === 'list' ? node.items : node.members.map(([, value]) => value)) {
      left.push([child, depth + 1]);
    }
  }
  return facts;
}

/** The value that the tree stands for, as `JSON.parse` would make it. */
export function valueOf(node: Node): unknown {
  if (node.kind === 'string') return node.text;
  if (node.kind === 'scalar') return JSON.parse(node.raw);
  if (node.kind === 'list') return node.items.map(valueOf);
  const object = {};
  for (const [key, value] of node.members) {
    Object.defineProperty(object, key, { value: valueOf(value), enumerable: true, configurable: true, writable: true });
  }
  return object;
}

/** A member that is there exactly once. */
export function memberOf(node: Node, key: string): Node | undefined {
  const found = node.kind === 'object' ? node.members.filter(([name]) => name === key) : [];
  return found.length === 1 ? found[0]?.[1] : undefined;
}

/** A list of integers from 0 to 2^53 - 1, written in digits alone. */
export function countsOf(node: Node | undefined, lengthMax: number): number[] | undefined {
  if (node?.kind !== 'list' || node.items.length > lengthMax) return undefined;
  const counts = node.items.map((item) => (item.kind === 'scalar' && /^(0|[1-9]\d{0,15})$/.test(item.raw) ? Number(item.raw) : NaN));
  return counts.every(Number.isSafeInteger) ? counts : undefined;
}
