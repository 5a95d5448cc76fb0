import fc from 'fast-check';

// The same cases in each run; SNAPSHARD_SEED=N tests others.
fc.configureGlobal({ seed: Number(process.env.SNAPSHARD_SEED ?? 1) });
