// as libs/shared/src/queue/upload-queue.ts
import { Queue } from 'bullmq';
import { InjectQueue } from '@nestjs/bullmq'; // refused: this one decides what
import { existsSync } from 'node:fs'; // refused: a hung mount
