// as apps/uploader/steps/claim.ts
import type { Run } from '../run.js';
import { sameFile } from '@app/shared/domain';
import { Injectable } from '@nestjs/common'; // refused: this one decides what
import { DelayedError } from 'bullmq'; // refused: an outcome is a value
import type { Redis } from 'ioredis'; // refused: the rooms redis, queue
import { renameSync } from 'node:fs'; // refused: a hung mount
import { RestError } from '@azure/storage-blob'; // refused: apps/uploader/blob-store
