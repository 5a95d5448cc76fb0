import { quote } from '../tensor/describe.js';
import { corrupt, type CountCheck } from './header_entry.js';
import { JsonReader } from './json_reader.js';
import { TimeSlices } from './time_slices.js';

const entriesBetweenChecks = 512;

/** A name in the folder itself, and none that a terminal would take for something else. */
function isPlainFileName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\\\u0000-\u001f\u007f]/.test(name);
}

async function readWeightMap(
  reader: JsonReader,
  slices: TimeSlices,
  checkCount: CountCheck,
): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  reader.enterObject();
  for (let name = reader.nextKey(); name !== undefined; name = reader.nextKey()) {
    if (files.has(name)) throw corrupt(`weight_map has tensor ${quote(name)} twice.`);
    const file = reader.string();
    if (!isPlainFileName(file)) {
      throw corrupt(`weight_map has tensor ${quote(name)} in ${quote(file)}, which is no file of the folder itself.`);
    }
    files.set(name, file);
    if (files.size % entriesBetweenChecks !== 0) continue;
    checkCount(files.size);
    if (slices.spent) await slices.pause();
  }
  return files;
}

/**
 * Reads a Hugging Face index, giving way to the event loop.
 * @param checkCount throws where there is no memory for so many entries
 * @returns `weight_map`: for each tensor the name of its file
 * @throws {SnapshardError} `ERR_SNAPSHARD_CORRUPT`, which does not name the file
 */
export async function parseIndex(
  bytes: Uint8Array,
  slices = new TimeSlices(),
  checkCount: CountCheck = () => undefined,
): Promise<Map<string, string>> {
  const reader = new JsonReader(bytes);
  let files: Map<string, string> | undefined;
  reader.enterObject();
  for (let key = reader.nextKey(); key !== undefined; key = reader.nextKey()) {
    if (key !== 'weight_map') reader.skip();
    else if (files === undefined) files = await readWeightMap(reader, slices, checkCount);
    else throw corrupt('It has weight_map twice.');
  }
  reader.finish();
  if (files !== undefined) return files;
  throw corrupt('It has no weight_map: it is no index.');
}
