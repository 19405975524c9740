// as libs/shared/src/runtime/otlp.ts
import { trace } from '@opentelemetry/api';
import { Logger } from '@nestjs/common'; // refused: this one decides what
import { Queue } from 'bullmq'; // refused: an outcome is a value
import { readFileSync } from 'node:fs'; // refused: a hung mount
const url = process.env.OTEL_EXPORTER_OTLP_ENDPOINT; // refused: take the setting as an argument
