// as apps/api/status/status.controller.ts
import { trace } from '@opentelemetry/api'; // refused: runtime/otlp.ts alone
import { Controller } from '@nestjs/common';
import { sessionKey } from '@app/shared/domain';
import * as shared from '@app/shared'; // refused: no root barrel
import { Layout } from '@app/shared/domain/layout.js'; // refused: no room is opened from behind
import { percentEncode } from '../../../libs/shared/src/domain/text.js'; // refused: no room is opened from behind
import { readFileSync } from 'node:fs'; // refused: a hung mount
import { stat } from 'fs/promises'; // refused: a hung mount
import { ContainerClient } from '@azure/storage-blob'; // refused: apps/uploader/blob-store
import { moveFile } from '../../uploader/move-file.js'; // refused: never imports another app
import { until } from '../../../test/support/until.js'; // refused: never the other way round
import { env } from 'node:process'; // refused: by config alone
const later = import('node:fs'); // refused: at the head of a file
const sooner = require('node:fs'); // refused: at the head of a file
const token = process.env.APP_API_TOKEN; // refused: take the setting as an argument
process.exit(1); // refused: Only a main.ts
