import { join, resolve } from 'node:path';

/** The project's folder. */
export const PROJECT = resolve(__dirname, '../..');

/** Where files are made and moved, below BENCH_DIR: on the disk that is to be measured. Gone after the run. */
export const WORK = join(process.env.BENCH_DIR ?? join(PROJECT, '.local/bench'), `run-${process.pid}`);
