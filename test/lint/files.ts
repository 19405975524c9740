// as libs/shared/src/files/volume.worker.ts
import { renameSync } from 'node:fs';
import { VolumeError } from '../domain/errors.js';
import { parseConfig } from '../config/parse.js'; // refused: to start fast
import { Injectable } from '@nestjs/common'; // refused: this one decides what
import { Redis } from 'ioredis'; // refused: the rooms redis, queue
import { Queue } from 'bullmq'; // refused: an outcome is a value
