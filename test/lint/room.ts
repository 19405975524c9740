// as libs/shared/src/records/sessions.ts
import type { Redis } from 'ioredis';
import { sessionKey } from '../domain/index.js';
import { datePrefix } from '../domain/session.js'; // refused: '../<room>/index.js'
import { messageOf } from '@app/shared/domain'; // refused: '../<room>/index.js'
import { claim } from '../../../../apps/uploader/steps/claim.js'; // refused: knows none of them
import { BlobClient } from '@azure/storage-blob'; // refused: apps/uploader/blob-store
import { Injectable } from '@nestjs/common'; // refused: this one decides what
import { Queue } from 'bullmq'; // refused: an outcome is a value
import { statSync } from 'node:fs'; // refused: a hung mount
const level = process.env.APP_LOG_LEVEL; // refused: take the setting as an argument
