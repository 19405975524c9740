// before everything else, even the rest of its room: a signal must find a handler
// eslint-disable-next-line no-restricted-imports
import '@app/shared/runtime/first-signal';
import './thread-pool.js';
import 'reflect-metadata';
import { run } from '@app/shared/runtime';
import { startUploader } from './uploader.js';

void run('uploader', startUploader);
