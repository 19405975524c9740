// as libs/shared/src/domain/stability.ts
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { percentEncode } from './text.js';
import { randomUUID } from 'node:crypto'; // refused: random bytes come in as arguments
import { lstatSync } from 'node:fs'; // refused: domain is pure
import { Queue } from 'bullmq'; // refused: domain is pure
import { Injectable } from '@nestjs/common'; // refused: domain is pure
import { RestError } from '@azure/storage-blob'; // refused: domain is pure
import { Redis } from 'ioredis'; // refused: domain is pure
import { parseQuantity } from '../config/index.js'; // refused: domain is pure
const now = Date.now(); // refused: needs no clock
const today = new Date(); // refused: needs no clock
const jitter = Math.random(); // refused: a test can repeat it
const level = process.env.APP_LOG_LEVEL; // refused: no environment
const then = new Date(0);
