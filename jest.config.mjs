import { randomBytes } from 'node:crypto';

// whatever a test starts inherits this word, and is found by it
process.env.SLUICE_TEST_RUN ??= randomBytes(8).toString('hex');

/** What all projects share: test files run as Node runs them, each in a process, without a context of jest's own. */
const shared = {
  rootDir: import.meta.dirname,
  runner: 'jest-light-runner/child-process',
  transform: {},
};
/** Tests of what is built. */
const built = (name) => ({
  ...shared,
  displayName: name,
  roots: [`<rootDir>/dist/test/${name}`],
  testMatch: ['**/*.test.js'],
});

export default {
  projects: [
    // from source: no build is needed
    {
      ...shared,
      displayName: 'unit',
      roots: ['<rootDir>/test/unit', '<rootDir>/apps', '<rootDir>/libs'],
      testMatch: ['**/*.test.ts'],
      setupFiles: ['<rootDir>/test/jest/typescript.mjs'],
    },
    built('integration'),
    built('e2e'),
    built('faults'),
    built('ship'),
  ],
  reporters: ['default', '<rootDir>/test/jest/summary.mjs'],
  // each file has services of its own, and the machine of CI has two processors
  maxWorkers: 3,
  watchman: false,
};
