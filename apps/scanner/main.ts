// before everything else, even the rest of its room: a signal must find a handler
// eslint-disable-next-line no-restricted-imports
import '@app/shared/runtime/first-signal';
import 'reflect-metadata';
import { run } from '@app/shared/runtime';
import { startScanner } from './scanner.js';

void run('scanner', startScanner);
