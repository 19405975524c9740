// as libs/shared/src/runtime/process.ts
import { hostname } from 'node:os';
import { writeFileSync } from 'node:fs'; // refused: a hung mount
import { NestFactory } from '@nestjs/core'; // refused: this one decides what
const settings = process.env;
process.exit(1);
