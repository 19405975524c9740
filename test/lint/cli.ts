// as apps/cli/commands/status.ts
import { Queue } from 'bullmq'; // refused: an outcome is a value
import { Redis } from 'ioredis'; // refused: the rooms redis, queue
import { readFileSync } from 'node:fs'; // refused: a hung mount
import { statusView } from '../../api/status/status.controller.js'; // refused: never imports another app
const token = process.env.SLUICE_TOKEN;
