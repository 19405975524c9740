import './thread-pool.js';
import 'reflect-metadata';
import { run } from '@app/shared/runtime';
import { startUploader } from './uploader.js';

void run('uploader', startUploader);
