// as apps/cli/canary/canary.ts
import { open } from 'node:fs/promises';
import { BlobServiceClient } from '@azure/storage-blob'; // refused: apps/uploader/blob-store
import { startScanner } from '../../scanner/scanner.js'; // refused: never imports another app
