// as apps/uploader/blob-store/pipeline.ts
import { newPipeline } from '@azure/storage-blob';
import { Injectable } from '@nestjs/common'; // refused: this one decides what
import { createReadStream } from 'node:fs'; // refused: a hung mount
import { UnrecoverableError } from 'bullmq'; // refused: an outcome is a value
