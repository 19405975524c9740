// Runs the tests of a project from their TypeScript.
import 'tsx/cjs';
import { register } from 'node:module';

// jest-light-runner imports a file of tests; as CommonJS it goes the way of require, whose hook compiles it
register('./as-commonjs.mjs', import.meta.url);
