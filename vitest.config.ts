import { defineConfig } from 'vitest/config';
import { plantFaults } from './test/model/plants.js';

const minute_ms = 60_000;
const modelTimeout_ms = (process.env.SNAPSHARD_MODEL === 'long' ? 600 : 5) * minute_ms;

const properties = ['test/support/property_seed.ts'];

const project = (name: string, testTimeout: number, globalSetup: string[] = [], setupFiles: string[] = []) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout, globalSetup, setupFiles },
});

export default defineConfig({
  test: {
    // A native abort must end one test file, not the runner; workers and descriptors are counted per process.
    pool: 'forks',
    // A shared machine stalls now and then; what fails twice is broken.
    retry: process.env.CI === undefined ? 0 : 1,
    projects: [
      project('unit', minute_ms, [], properties),
      { ...project('model', modelTimeout_ms, [], ['test/model/setup.ts']), plugins: [plantFaults()] },
      project('integration', 5 * minute_ms, [], properties),
      project('faults', 5 * minute_ms),
      project('interop', 5 * minute_ms, ['test/interop/setup.ts'], properties),
      project('gpu', 10 * minute_ms),
      project('package', 5 * minute_ms),
      project('endurance', 20 * minute_ms),
    ],
  },
});
