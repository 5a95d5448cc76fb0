/** A strict reader of safetensors headers, written from the rules of the format alone: nothing of lib/ is used. */

const bits: Record<string, number> = {
  ...{ BOOL: 8, U8: 8, I8: 8, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8 },
  ...{ F4: 4, F6_E2M3: 6, F6_E3M2: 6, I16: 16, U16: 16, F16: 16, BF16: 16, I32: 32, U32: 32, F32: 32 },
  ...{ C64: 64, F64: 64, I64: 64, U64: 64 },
};

export interface CheckedTensor {
  name: string;
  dtype: string;
  shape: number[];
  /** From the start of the file. */
  begin: number;
  end: number;
}

export interface CheckedHeader {
  metadata: Record<string, string>;
  /** As they lie in the file. */
  tensors: CheckedTensor[];
}

function must(condition: boolean, rule: string): asserts condition {
  if (!condition) throw new Error(`Not strict safetensors: ${rule}`);
}

/** Keys of the outermost object, repeated ones included, which JSON.parse would swallow. */
export function outermostKeys(json: string): string[] {
  const keys: string[] = [];
  let depth = 0;
  for (let index = 0; index < json.length; index += 1) {
    const character = json[index]!;
    if (character === '"') {
      const start = index;
      for (index += 1; json[index] !== '"'; index += 1) if (json[index] === '\\') index += 1;
      if (depth === 1 && json[index + 1] === ':') keys.push(JSON.parse(json.slice(start, index + 1)) as string);
    } else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
  }
  return keys;
}

function checkTensor(name: string, entry: unknown, headerBytes: number): CheckedTensor {
  must(typeof entry === 'object' && entry !== null, 'an entry is an object');
  must(Object.keys(entry).sort().join() === 'data_offsets,dtype,shape', 'an entry has dtype, shape and data_offsets');
  const { dtype, shape, data_offsets } = entry as { dtype: string; shape: number[]; data_offsets: number[] };
  must(Object.hasOwn(bits, dtype), `dtype ${dtype} is known`);
  must(
    [...shape, ...data_offsets].every((size) => Number.isSafeInteger(size) && size >= 0),
    'sizes are integers',
  );
  must(data_offsets.length === 2, 'there are two offsets');
  const [begin = 0, end = 0] = data_offsets;
  const elements = shape.reduce((product, size) => product * BigInt(size), 1n);
  must(BigInt(end - begin) * 8n === elements * BigInt(bits[dtype]!), `${name}: offsets agree with shape and dtype`);
  return { name, dtype, shape, begin: headerBytes + begin, end: headerBytes + end };
}

/**
 * @param header the first bytes of the file: at least its whole header
 * @param fileBytes length of the file
 * @throws {Error} naming the rule that is broken
 */
export function checkHeader(header: Uint8Array, fileBytes: number): CheckedHeader {
  const length = Number(new DataView(header.buffer, header.byteOffset).getBigUint64(0, true));
  must(length <= 100_000_000 && 8 + length <= header.length, 'the length word fits');
  must((8 + length) % 4096 === 0, 'data begins at a multiple of 4096');
  must(8 + length < 25_000_000, 'the header is below the limit of @huggingface/hub');
  const json = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header.subarray(8, 8 + length));
  must(json.startsWith('{'), 'the JSON begins with a brace');
  must(/^[^ ]$/.test(json.trimEnd().at(-1) ?? '') && !/[^ ]/.test(json.slice(json.trimEnd().length)), 'spaces pad it');
  must(8 + length - 4096 < 8 + json.trimEnd().length, 'it is padded no further than needed');
  const entries = JSON.parse(json) as Record<string, unknown>;
  const keys = outermostKeys(json);
  must(new Set(keys).size === keys.length, 'no key is there twice');
  must(keys.length === Object.keys(entries).length, 'all keys were seen');
  const metadata = (entries.__metadata__ ?? {}) as Record<string, string>;
  must(
    Object.values(metadata).every((value) => typeof value === 'string'),
    'metadata is strings',
  );
  const tensors = keys
    .filter((name) => name !== '__metadata__')
    .map((name) => checkTensor(name, entries[name], 8 + length));
  must(
    tensors.every(({ begin }, index) => begin === (tensors[index - 1]?.end ?? 8 + length)),
    'no hole, no overlap',
  );
  must((tensors.at(-1)?.end ?? 8 + length) === fileBytes, 'the file ends with the last tensor');
  return { metadata, tensors };
}
