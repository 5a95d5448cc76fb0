/**
 * Saves the same tensors whatever the machine refuses, and prints what became of it as JSON (`FaultyResult` of
 * test/support/faulty_save.ts).
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { capabilities, CheckpointWriter, fileSource, openCheckpoint } from 'snapshard';

const { root, options, saves, descriptorsLeft, restore = false } = JSON.parse(process.argv[2]);
const MiB = 1 << 20;
const folder = mkdtempSync(join(tmpdir(), 'snapshard-source-'));
const sourcePath = join(folder, 'file.bin');

function fill(view, seed) {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  let state = seed;
  for (let at = 0; at < bytes.length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[at] = state >>> 24;
  }
  return view;
}

/** Every kind of source; `extraBytes` more in one of them, and `extraTensors` more of a few bytes. */
function makeTensors(writer, extraBytes, extraTensors) {
  const lease = new Uint8Array(writer.allocate(2 * MiB).buffer);
  const parts = [fill(new Uint8Array(1000), 3), fill(new Uint8Array(MiB), 4)];
  return {
    plain: fill(new Uint8Array(3 * MiB + 5 + extraBytes), 5),
    float: fill(new Float32Array(100_003), 6),
    shared: fill(new Uint8Array(new SharedArrayBuffer(MiB + 1)), 7),
    lease: { dtype: 'BF16', shape: [MiB], data: fill(lease, 8) },
    file: { dtype: 'U8', shape: [MiB + 7], data: fileSource({ path: sourcePath, offset: 4097, bytes: MiB + 7 }) },
    list: { dtype: 'U8', shape: [1000 + MiB], data: parts, group: 'optimizer' },
    moment: { dtype: 'F32', shape: [5000], data: fill(new Float32Array(5000), 9), group: 'optimizer' },
    ...Object.fromEntries(Array.from({ length: extraTensors }, (_, index) => [`extra${index}`, new Uint8Array(100)])),
    empty: { dtype: 'F16', shape: [0], data: new Uint8Array(0) },
  };
}

function contentsOf(path) {
  const ranks = JSON.parse(readFileSync(join(path, 'ranks/00000.json'), 'utf8'));
  const digestByName = (list) => Object.fromEntries(list.map(({ name, digest }) => [name, digest]));
  const shards = readdirSync(path).filter((name) => name.endsWith('.safetensors'));
  const sha256 = (name) => createHash('sha256').update(readFileSync(join(path, name))).digest('hex');
  return {
    files: digestByName(ranks.files),
    tensors: digestByName(ranks.tensors),
    shards: Object.fromEntries(shards.sort().map((name) => [name, sha256(name)])),
  };
}

async function restored(path) {
  const checkpoint = await openCheckpoint(path, { stagingBytes: 4 * MiB, blockBytes: 2 * MiB, direct: options.direct ?? true });
  try {
    const { damaged } = await checkpoint.verify();
    if (damaged.length > 0) throw new Error(JSON.stringify(damaged));
    const all = {};
    for (const name of checkpoint.tensors.keys()) {
      const { buffer, byteOffset, byteLength } = (await checkpoint.read(name)).data;
      all[name] = createHash('sha256').update(new Uint8Array(buffer, byteOffset, byteLength)).digest('hex');
    }
    return { restored: all };
  } finally {
    await checkpoint.close();
  }
}

async function saveOne(writer, { extraBytes = 0, extraTensors = 0, detach = false, ...request }) {
  const tensors = makeTensors(writer, extraBytes, extraTensors);
  const save = writer.save({ ...request, tensors });
  if (detach) structuredClone(tensors.plain.buffer, { transfer: [tensors.plain.buffer] });
  const { path, engine, engineReason, direct, directReason } = await save;
  return { engine, engineReason, direct, directReason, contents: { ...contentsOf(path), ...(restore && (await restored(path))) } };
}

function failureOf(error) {
  const { code, errno, syscall, message } = error;
  return { code: code ?? String(error), errno, syscall, message };
}

async function run() {
  const result = { capabilities: capabilities(), saves: [] };
  const writer = await CheckpointWriter.open(root, options);
  if (descriptorsLeft !== undefined) limitDescriptors(descriptorsLeft);
  for (const request of saves) {
    result.saves.push(await saveOne(writer, request).catch((error) => ({ failure: failureOf(error) })));
  }
  await writer.close();
  return { ...result, names: readdirSync(root).sort() };
}

/** Node.js itself needs many while it loads modules. */
function limitDescriptors(left) {
  const highest = Math.max(...readdirSync('/proc/self/fd').map(Number));
  execFileSync('prlimit', ['--pid', String(process.pid), `--nofile=${highest + left}`]);
}

writeFileSync(sourcePath, fill(new Uint8Array(2 * MiB), 1));
console.log(JSON.stringify(await run().catch((error) => ({ failure: failureOf(error) }))));
rmSync(folder, { recursive: true });
