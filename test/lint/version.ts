// as libs/shared/src/runtime/version.ts
import { readFileSync } from 'node:fs';
import { Logger } from '@nestjs/common'; // refused: this one decides what
import { Queue } from 'bullmq'; // refused: an outcome is a value
