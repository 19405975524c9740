// as libs/shared/src/runtime/probes.ts
import { trace } from '@opentelemetry/api'; // refused: runtime/otlp.ts alone
import { Controller } from '@nestjs/common';
import { Redis } from 'ioredis'; // refused: the rooms redis, queue
import { Worker } from 'bullmq'; // refused: an outcome is a value
import { accessSync } from 'node:fs'; // refused: a hung mount
const level = process.env.APP_LOG_LEVEL; // refused: take the setting as an argument
process.exit(1); // refused: Only a main.ts
