/**
 * Does what it is asked to, one message each (`SubjectCall` of subject.ts), and answers each with what came of it:
 * a process of its own, so that a crash is an answer that does not come.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { CheckpointWriter, latestCheckpoint, listCheckpoints, openCheckpoint, removeCheckpoint } from 'snapshard';

const writers = new Map();
const reading = { stagingBytes: 8 * 2 ** 20 };

function fill(view, seed) {
  const words = new Uint32Array(view.buffer, 0, view.byteLength >> 2);
  for (let at = 0, state = seed; at < words.length; at++) words[at] = state = Math.imul(state, 1664525) + 1013904223;
  view.fill(seed, words.byteLength);
  return view;
}

/** By names that tell size and seed, so that whoever reads them knows what they hold. */
function tensorsOf(bytes, seed, rank, worldSize, lease) {
  const own = bytes.map((size, index) => [size, seed + index]).filter((_, index) => index % worldSize === rank);
  return Object.fromEntries(own.map(([size, each]) => {
    return [`${size}.${each}`, fill(lease?.(size) ?? new Uint8Array(size), each)];
  }));
}

function failureOf(error) {
  const { code, errno, syscall, message, path, ranks } = error ?? {};
  return { code: String(code ?? error), errno, syscall, message: String(message), path, ranks };
}

async function compare(checkpoint) {
  for (const name of checkpoint.tensors.keys()) {
    const [size, seed] = name.split('.').map(Number);
    const { data } = await checkpoint.read(name);
    if (Buffer.compare(data, fill(new Uint8Array(size), seed)) !== 0) throw new Error(`${name} holds other bytes.`);
  }
}

async function check(checkpoint) {
  try {
    await compare(checkpoint);
    const { damaged } = await checkpoint.verify();
    return { step: checkpoint.step, damaged };
  } finally {
    await checkpoint.close();
  }
}

const calls = {
  async open({ writer, root, options, ranks = 1 }) {
    const place = (rank) => (ranks > 1 ? { rank, worldSize: ranks, runId: writer } : {});
    const opening = Array.from({ length: ranks }, (_, rank) => CheckpointWriter.open(root, { ...options, ...place(rank) }));
    const opened = await Promise.allSettled(opening);
    const all = opened.flatMap(({ value }) => value ?? []);
    if (all.length === ranks) writers.set(writer, all);
    else await Promise.all(all.map((each) => each.close()));
    return { failures: opened.flatMap(({ reason }) => (reason === undefined ? [] : [failureOf(reason)])) };
  },
  async save({ writer, step, seed, bytes, overwrite, inPlace = false }) {
    const all = writers.get(writer);
    const ended = await Promise.allSettled(all.map(async (each, rank) => {
      const lease = inPlace ? (size) => new Uint8Array(each.allocate(Math.max(1, size)).buffer, 0, size) : undefined;
      const tensors = tensorsOf(bytes, seed, rank, all.length, lease);
      const files = rank === 0 ? { 'config.json': JSON.stringify({ seed }) } : {};
      const { path, digest, engine, direct, directReason } = await each.save({ step, tensors, overwrite, inPlace, files });
      return { path, digest, engine, direct, directReason };
    }));
    const failures = ended.flatMap(({ reason }) => (reason === undefined ? [] : [failureOf(reason)]));
    return { published: ended.find(({ value }) => value !== undefined)?.value, failures };
  },
  check: async ({ path }) => check(await openCheckpoint(path, reading)),
  latest: async ({ root }) => check(await latestCheckpoint(root, reading)),
  list: async ({ root }) => (await listCheckpoints(root)).map(({ step, digest, damaged }) => ({ step, digest, damaged })),
  remove: ({ root, step }) => removeCheckpoint(root, step),
  async close({ writer, abort }) {
    const all = writers.get(writer) ?? [];
    writers.delete(writer);
    const ended = await Promise.allSettled(all.map((each) => each.close({ abort })));
    return { failures: ended.flatMap(({ reason }) => (reason === undefined ? [] : [failureOf(reason)])) };
  },
  /** Open descriptors of what lies below a directory. */
  descriptors({ below }) {
    return readdirSync('/proc/self/fd').flatMap((descriptor) => {
      try {
        const path = readlinkSync(`/proc/self/fd/${descriptor}`);
        return path.startsWith(below) ? [path] : [];
      } catch {
        return [];
      }
    });
  },
  exit: ({ code }) => process.exit(code),
};

process.on('message', async ({ id, call }) => {
  try {
    const value = await calls[call.kind](call);
    process.send({ id, value: value ?? null });
  } catch (error) {
    process.send({ id, failure: failureOf(error) });
  }
});
