import 'reflect-metadata';
import { run } from '@app/shared/runtime';
import { startScanner } from './scanner.js';

void run('scanner', startScanner);
