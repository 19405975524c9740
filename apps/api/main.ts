import 'reflect-metadata';
import { run } from '@app/shared/runtime';
import { startApi } from './api.js';

void run('api', startApi);
