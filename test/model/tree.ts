import { createHash } from 'node:crypto';

/** What a rank asks of the store. All that it depends on is in here, so that equal operations have equal effects. */
export type Operation =
  | { readonly call: 'makeDirectory'; readonly path: string; readonly holder: string | undefined }
  | { readonly call: 'writeFiles'; readonly files: readonly { readonly path: string; readonly content: string }[] }
  /** Creates empty shards: `token` stands for the transfer that fills them later. */
  | { readonly call: 'openFiles'; readonly paths: readonly string[]; readonly token: string }
  | { readonly call: 'readFile' | 'readTail'; readonly path: string; readonly maxBytes: number }
  | { readonly call: 'list'; readonly path: string }
  | { readonly call: 'rename'; readonly from: string; readonly to: string }
  | { readonly call: 'syncDirectories'; readonly paths: readonly string[] }
  | { readonly call: 'removeTree'; readonly path: string }
  | { readonly call: 'reclaim'; readonly from: string; readonly to: string };

/** What the store says: what was asked for, or the name of an error. */
export type Answer =
  | { readonly value: 'nothing' | boolean | readonly string[] }
  /** The bytes of that content. */
  | { readonly content: string }
  | { readonly errno: string };

const nothing: Answer = { value: 'nothing' };
const changing: readonly Operation['call'][] = [
  'makeDirectory',
  'writeFiles',
  'openFiles',
  'rename',
  'removeTree',
  'reclaim',
];

export function isChange({ call }: Operation): boolean {
  return changing.includes(call);
}

const contents = new Map<string, Uint8Array>();
const contentNames = new Map<string, string>();

/** A short name for some bytes: the same for equal bytes. */
export function nameContent(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('latin1');
  let name = contentNames.get(text);
  if (name === undefined) {
    name = `c${createHash('md5').update(bytes).digest('hex').slice(0, 12)}`;
    contentNames.set(text, name);
    contents.set(name, Uint8Array.from(bytes));
  }
  return name;
}

export function contentOf(name: string): Uint8Array {
  return contents.get(name) ?? new TextEncoder().encode(name);
}

/** The content of a shard that a transfer has opened, and when it has filled it. */
export const openShard = (token: string): string => `open ${token}`;
export const fullShard = (token: string): string => `full ${token}`;
/** A file whose writer died, or ran out of space, in the middle. */
export const tornContent = 'torn';

const directory = 'directory';
const heldBy = (holder: string): string => `${directory} of ${holder}`;

interface Effect {
  readonly tree: Tree;
  readonly answer: Answer;
}

/** To make room; what is still in use stays as it is. */
export function forgetTrees(): void {
  for (const map of [partNumbers, trees, contents, contentNames]) map.clear();
}

const partNumbers = new Map<string, number>();
const trees = new Map<string, Tree>();

function numberOf(path: string, entry: string): number {
  const text = `${path}\0${entry}`;
  let number = partNumbers.get(text);
  if (number === undefined) {
    number = partNumbers.size;
    partNumbers.set(text, number);
  }
  return number;
}

/** What lies below the root, at one moment. Never changes; of equal trees there is one. */
export class Tree {
  readonly id: number;
  /** By path: a directory, perhaps held, or the name of a file's content. */
  readonly entries: ReadonlyMap<string, string>;
  readonly #effects = new Map<string, Effect>();
  static #count = 0;

  private constructor(entries: ReadonlyMap<string, string>, id: number) {
    this.entries = entries;
    this.id = id;
  }

  static of(entries: ReadonlyMap<string, string>): Tree {
    const parts = [...entries].map(([path, entry]) => numberOf(path, entry)).sort((left, right) => left - right);
    const key = parts.join(',');
    let tree = trees.get(key);
    if (tree === undefined) {
      tree = new Tree(entries, Tree.#count++);
      trees.set(key, tree);
    }
    return tree;
  }

  static get empty(): Tree {
    return Tree.of(new Map());
  }

  /** Does what a rank asks. */
  run(operation: Operation): Effect {
    const key = JSON.stringify(operation);
    let effect = this.#effects.get(key);
    if (effect === undefined) {
      effect = new Change(this).run(operation);
      this.#effects.set(key, effect);
    }
    return effect;
  }

  /** A transfer writes the last byte, wherever its files are by now. */
  fill(token: string): Tree {
    const entries = [...this.entries].map(([path, entry]): [string, string] => [
      path,
      entry === openShard(token) ? fullShard(token) : entry,
    ]);
    return Tree.of(new Map(entries));
  }

  /** Somebody died, and holds nothing any more. */
  release(holder: string): Tree {
    const held = heldBy(holder);
    return Tree.of(new Map([...this.entries].map(([path, entry]) => [path, entry === held ? directory : entry])));
  }

  /** The first file of those that were to be written is there, with something else in it. */
  tear(operation: Operation): Tree {
    if (operation.call !== 'writeFiles') return this;
    const [first] = operation.files;
    if (first === undefined) return this;
    return this.run({ call: 'writeFiles', files: [{ ...first, content: tornContent }] }).tree;
  }

  /** Names in a directory, sorted. */
  names(path: string): string[] {
    const prefix = path === '' ? '' : `${path}/`;
    const names: string[] = [];
    for (const key of this.entries.keys()) {
      if (key.startsWith(prefix) && !key.includes('/', prefix.length)) names.push(key.slice(prefix.length));
    }
    return names.sort();
  }

  has(path: string): boolean {
    return path === '' || this.entries.has(path);
  }

  isHeld(path: string): boolean {
    return this.entries.get(path)?.startsWith(`${directory} of`) ?? false;
  }

  isDirectory(path: string): boolean {
    return path === '' || (this.entries.get(path)?.startsWith(directory) ?? false);
  }
}

/** What the system says when it does not do something. */
class Refusal extends Error {}

/** One operation at work on a copy. */
class Change {
  readonly #before: Tree;
  readonly #entries: Map<string, string>;

  constructor(before: Tree) {
    this.#before = before;
    this.#entries = new Map(before.entries);
  }

  run(operation: Operation): Effect {
    try {
      const answer = this.#do(operation);
      return { tree: isChange(operation) ? Tree.of(this.#entries) : this.#before, answer };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      // Of several files, those before the one that could not be created are there.
      const several = operation.call === 'writeFiles' || operation.call === 'openFiles';
      return { tree: several ? Tree.of(this.#entries) : this.#before, answer: { errno: error.message } };
    }
  }

  #do(operation: Operation): Answer {
    switch (operation.call) {
      case 'makeDirectory':
        this.#create(operation.path, operation.holder === undefined ? directory : heldBy(operation.holder));
        return nothing;
      case 'writeFiles':
        for (const { path, content } of operation.files) this.#create(path, content);
        return nothing;
      case 'openFiles':
        for (const path of operation.paths) this.#create(path, openShard(operation.token));
        return nothing;
      case 'readFile':
      case 'readTail':
        return this.#read(operation.path, operation.call === 'readFile' ? operation.maxBytes : Infinity);
      case 'list':
        if (!this.#before.has(operation.path)) throw new Refusal('ENOENT');
        return { value: this.#before.names(operation.path) };
      case 'rename':
        this.#rename(operation.from, operation.to);
        return nothing;
      case 'syncDirectories':
        if (!operation.paths.every((path) => this.#before.has(path))) throw new Refusal('ENOENT');
        return nothing;
      case 'removeTree':
        for (const path of this.#below(operation.path)) this.#entries.delete(path);
        return nothing;
      case 'reclaim':
        return this.#reclaim(operation.from, operation.to);
    }
  }

  #create(path: string, entry: string): void {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    if (parent !== '' && !this.#entries.has(parent)) throw new Refusal('ENOENT');
    if (this.#entries.has(path)) throw new Refusal('EEXIST');
    this.#entries.set(path, entry);
  }

  #read(path: string, maxBytes: number): Answer {
    const content = this.#entries.get(path);
    if (content === undefined) throw new Refusal('ENOENT');
    if (this.#before.isDirectory(path)) throw new Refusal('EISDIR');
    if (contentOf(content).byteLength > maxBytes) throw new Refusal('EFBIG');
    return { content };
  }

  #rename(from: string, to: string): void {
    if (!this.#entries.has(from)) throw new Refusal('ENOENT');
    if (this.#entries.has(to)) throw new Refusal('EEXIST');
    const moved = this.#below(from).map((path): [string, string] => [path, this.#entries.get(path) ?? '']);
    for (const [path] of moved) this.#entries.delete(path);
    for (const [path, entry] of moved) {
      const kept = path === from && entry.startsWith(directory) ? directory : entry;
      this.#create(`${to}${path.slice(from.length)}`, kept);
    }
  }

  #reclaim(from: string, to: string): Answer {
    if (!this.#entries.has(from)) throw new Refusal('ENOENT');
    if (this.#before.isHeld(from)) return { value: false };
    this.#rename(from, to);
    return { value: true };
  }

  #below(path: string): string[] {
    return [...this.#entries.keys()].filter((key) => key === path || key.startsWith(`${path}/`)).sort();
  }
}
