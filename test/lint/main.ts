// as apps/scanner/main.ts
import { run } from '@app/shared/runtime';
import { mkdirSync } from 'node:fs'; // refused: a hung mount
import { startUploader } from '../uploader/uploader.js'; // refused: never imports another app
const prefix = process.env.APP_REDIS_PREFIX; // refused: take the setting as an argument
process.exit(0);
