/** Does one thing after the other as the user and with the umask that it was started with; prints how each ended, as JSON. */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CheckpointWriter, latestCheckpoint, listCheckpoints, removeCheckpoint } from 'snapshard';

const { root, umask, actions } = JSON.parse(process.argv[2]);
if (umask !== undefined) process.umask(umask);

const options = { stagingBytes: 2 ** 23, blockBytes: 2 ** 20, deadlineMs: 5000 };
const tensors = (fill) => ({ data: new Uint8Array(100_001).fill(fill) });

async function save({ step, overwrite = false, fill = 1 }) {
  const writer = await CheckpointWriter.open(root, options);
  try {
    return (await writer.save({ step, tensors: tensors(fill), overwrite, files: { 'config.json': '{}' } })).path;
  } finally {
    await writer.close();
  }
}

/** Two ranks in this process; `before` may look at the root when they have met. */
async function saveAsRanks({ step, runId, whenMet = () => undefined }) {
  const open = (rank) => CheckpointWriter.open(root, { ...options, rank, worldSize: 2, runId });
  const opened = await Promise.allSettled([open(0), open(1)]);
  const writers = opened.flatMap(({ value }) => value ?? []);
  try {
    for (const { reason } of opened) if (reason !== undefined) throw reason;
    const met = whenMet();
    const saves = writers.map((writer, rank) => writer.save({ step, tensors: { [`part ${rank}`]: tensors(2).data } }));
    const ends = await Promise.allSettled(saves);
    for (const { reason } of ends) if (reason !== undefined) throw reason;
    return met;
  } finally {
    await Promise.allSettled(writers.map((writer) => writer.close()));
  }
}

async function latest() {
  const checkpoint = await latestCheckpoint(root, { stagingBytes: 2 ** 23 });
  try {
    const { data } = await checkpoint.read('data');
    return { step: checkpoint.step, first: data[0], damaged: (await checkpoint.verify()).damaged };
  } finally {
    await checkpoint.close();
  }
}

/** Ends in the middle of a save, and leaves its directory. */
async function die({ step }) {
  const writer = await CheckpointWriter.open(root, options);
  writer.save({ step, tensors: { data: new Uint8Array(2 ** 28) } });
  while (!readdirSync(root).some((name) => name.endsWith('.partial'))) await new Promise(setImmediate);
  process.kill(process.pid, 'SIGKILL');
}

/** Of sessions, which are there for as long as their writers. */
function modesOfSessions() {
  const names = readdirSync(root, { recursive: true }).filter((name) => name.startsWith('.session-'));
  const modesOf = (isDirectory) => [
    ...new Set(
      names
        .map((name) => lstatSync(join(root, name)))
        .filter((status) => status.isDirectory() === isDirectory)
        .map(({ mode }) => mode & 0o7777),
    ),
  ];
  return { files: modesOf(false), directories: modesOf(true), names: names.join(' ') };
}

const known = {
  save,
  saveAsRanks,
  latest,
  die,
  sessions: ({ step, runId }) => saveAsRanks({ step, runId, whenMet: () => readdirSync(root, { recursive: true }) }),
  modes: ({ step, runId }) => saveAsRanks({ step, runId, whenMet: modesOfSessions }),
  remove: ({ step }) => removeCheckpoint(root, step),
  list: async () => (await listCheckpoints(root)).map(({ name, damaged }) => ({ name, damaged: damaged !== undefined })),
};

async function run(action) {
  try {
    return { value: await known[action.do](action) };
  } catch (error) {
    const { code, errno, message, path } = error;
    return { failure: { code, errno, message, path } };
  }
}

const ends = [];
for (const action of actions) ends.push(await run(action));
console.log(JSON.stringify(ends));
