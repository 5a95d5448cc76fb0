/** Parses JSON whose objects may not name a key twice, which `JSON.parse` lets pass. */
export function parseJson(source: string): unknown {
  requireUniqueKeys(source);
  return JSON.parse(source) as unknown;
}

export function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${what} is not an object`);
  return value as Record<string, unknown>;
}

export function array(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) throw new Error(`${what} is not an array`);
  return value;
}

export function text(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new Error(`${what} is not a string`);
  return value;
}

export function integer(value: unknown, what: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new Error(`${what} is not a whole number`);
  return value as number;
}

export function integers(value: unknown, what: string): number[] {
  return array(value, what).map((item) => integer(item, what));
}

/** Strings and brackets are all that matters for where keys are; what is malformed, `JSON.parse` will find. */
function requireUniqueKeys(source: string): void {
  const objects: (Set<string> | undefined)[] = [];
  const token = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g;
  for (let match = token.exec(source); match !== null; match = token.exec(source)) {
    const [found, colon] = match;
    if (found === '{') objects.push(new Set());
    else if (found === '[') objects.push(undefined);
    else if (found === '}' || found === ']') objects.pop();
    else if (colon !== undefined) addKey(objects.at(-1), found.slice(0, -colon.length));
  }
}

function addKey(keys: Set<string> | undefined, quoted: string): void {
  const key = JSON.parse(quoted) as string;
  if (keys?.has(key) === true) throw new Error(`the key ${quoted} stands twice in one object`);
  keys?.add(key);
}
