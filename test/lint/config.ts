// as libs/shared/src/config/parse.ts
import { isIP } from 'node:net';
import { SCHEMA } from './schema.js';
import { messageOf } from '../domain/index.js'; // refused: parsed purely
import { readFileSync } from 'node:fs'; // refused: parsed purely
import { ConfigModule } from '@nestjs/config'; // refused: parsed purely
const port = process.env.APP_PORT; // refused: is handed the environment
process.exit(1); // refused: Only a main.ts
