import { SnapshardError } from '../errors.js';
import {
  parseJoin,
  parseSessionPartial,
  rosterName,
  sessionDirectoryName,
  type Join,
} from '../layout/names.js';
import { ranksText } from '../layout/ranks_text.js';
import { newNonce } from '../store/nonce.js';
import { renameOwn } from '../store/rename.js';
import { retire } from '../store/retire.js';
import { describeFailure } from './failure.js';
import { encodeRoster } from './roster.js';
import { inSession, joinsDirectory, sessionsOf, type Patience, type RankIdentity, type Session } from './session.js';

/**
 * Rank 0 makes the session of its run, waits until every rank has come, and writes down who has. What an earlier rank 0
 * of the run left is taken away first: who still works there finds that it is over.
 * @throws {SnapshardError} `ERR_SNAPSHARD_DEADLINE` naming the ranks that did not come; `RANKS_DISAGREE` on the world
 *   size; `SESSION_OVER` when another rank 0 of the run has begun meanwhile
 */
export async function leadSession(identity: RankIdentity, patience: Patience): Promise<Session> {
  const { store, run, rank, worldSize, writer } = identity;
  await endEarlierSessions(identity);
  const nonce = newNonce();
  const made = [
    store.makeDirectory(sessionDirectoryName(run, nonce), true),
    store.makeDirectory(joinsDirectory(run, nonce), false),
  ];
  await inSession(store, Promise.all(made));
  try {
    const own = { rank, worldSize, nonce: writer };
    const roster = await gatherRanks(identity, nonce, own, patience);
    await writeRoster(identity, nonce, encodeRoster({ writers: roster }));
    return { ...identity, nonce, roster };
  } catch (error) {
    await writeRoster(identity, nonce, encodeRoster({ failure: describeFailure(rank, error) })).catch(() => undefined);
    throw error;
  }
}

/** Takes away what earlier sessions of the run left: themselves first, so that whoever looks for a save knows. */
async function endEarlierSessions({ store, run }: RankIdentity): Promise<void> {
  const names = await store.listRoot();
  const { nonces, closed } = sessionsOf(run, names);
  const owners = new Set([...nonces, ...closed]);
  const partials = names.filter((name) => owners.has(parseSessionPartial(name)?.session ?? ''));
  const directories = [...nonces].map((nonce) => sessionDirectoryName(run, nonce));
  await retire(store, [...directories, ...partials]);
  for (const nonce of closed) await store.removeTree(rosterName(run, nonce));
}

async function gatherRanks(
  identity: RankIdentity,
  nonce: string,
  own: Join,
  { clock, deadline_ms, backoff }: Patience,
): Promise<string[]> {
  const { store, run, worldSize } = identity;
  let here = 0;
  for (;;) {
    const names = await inSession(store, store.list(joinsDirectory(run, nonce)));
    const joins = [own, ...names.flatMap((name) => parseJoin(name) ?? [])];
    requireAgreement(joins, worldSize);
    const roster = latestByRank(joins);
    if (roster.size === worldSize) return Array.from({ length: worldSize }, (_, rank) => roster.get(rank) ?? '');
    if (clock.now() >= deadline_ms) throw notAllCame(roster, worldSize, store.root, run);
    if (roster.size > here) backoff.restart();
    here = roster.size;
    await backoff.pause();
  }
}

/** A rank that started again has come twice: its later process counts. */
function latestByRank(joins: readonly Join[]): Map<number, string> {
  const latest = new Map<number, string>();
  for (const { rank, nonce } of joins) {
    if (nonce > (latest.get(rank) ?? '')) latest.set(rank, nonce);
  }
  return latest;
}

function requireAgreement(joins: readonly Join[], worldSize: number): void {
  const other = joins.find((join) => join.worldSize !== worldSize || join.rank >= worldSize);
  if (other === undefined) return;
  const message = `Rank ${other.rank} was opened with \`worldSize\` ${other.worldSize}, rank 0 with ${worldSize}: give every rank the same.`;
  throw new SnapshardError('ERR_SNAPSHARD_RANKS_DISAGREE', message, { ranks: [0, other.rank] });
}

function notAllCame(roster: ReadonlyMap<number, string>, worldSize: number, root: string, run: string): SnapshardError {
  const missing = Array.from({ length: worldSize }, (_, rank) => rank).filter((rank) => !roster.has(rank));
  const message =
    `By the deadline, ${ranksText(missing)} of ${worldSize} had not opened a writer on ${root} (session of run ${run}). ` +
    'Did they start, with the same `runId`, and is the root one directory that all hosts share?';
  return new SnapshardError('ERR_SNAPSHARD_DEADLINE', message, { ranks: missing, path: root });
}

/** By rename: whoever sees it sees all of it. A session that was taken away has no roster. */
async function writeRoster({ store, run }: RankIdentity, nonce: string, contents: Uint8Array): Promise<void> {
  const unfinished = `${sessionDirectoryName(run, nonce)}/${newNonce()}.tmp`;
  await inSession(store, store.writeFiles([{ path: unfinished, contents }]));
  await inSession(store, renameOwn(store, unfinished, rosterName(run, nonce)));
}
