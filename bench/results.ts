import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from './places.js';
import type { Machine } from './machine.js';

/** What one turn of a contestant cost. */
export interface Turn {
  /** Seconds from the first moment to the last. */
  readonly wallS: number;
  /** Seconds of processor time, user and system, of all its processes; without Redis and the sink. */
  readonly cpuS: number;
  /** Highest resident memory of the process that uploads, MiB. */
  readonly peakMiB: number;
  /** Seconds of processor time of Redis, where there is one. */
  readonly redisCpuS?: number;
  /** Commands that Redis answered, as its INFO counts them. */
  readonly redisCommands?: number;
  /** Durations of status calls during the turn, milliseconds. */
  readonly statusMs?: readonly number[];
}

/** All turns of one contestant, and what they were made with. */
export interface Series {
  readonly name: string;
  readonly settings: string;
  readonly turns: readonly Turn[];
}

/** One table: contestants that did the same work in one interleaved run. */
export interface Table {
  readonly title: string;
  /** Files of one turn. */
  readonly files: number;
  /** Bytes of one file. */
  readonly fileBytes: number;
  /** The first is what the others are compared with. */
  readonly series: readonly Series[];
}

/** A number that has a goal. */
export interface Goal {
  readonly work: string;
  readonly measure: string;
  readonly value: number;
  readonly unit: string;
  readonly sense: 'at most' | 'at least';
  readonly goal: number;
  readonly stretch?: number;
}

/** What a subcommand leaves behind. */
export interface Result {
  readonly name: string;
  readonly at: string;
  readonly machine: Machine;
  readonly rounds: number;
  readonly tables: readonly Table[];
  readonly goals: readonly Goal[];
  /** Other facts, as sentences. */
  readonly notes: readonly string[];
}

const FOLDER = join(PROJECT, 'bench/results');

/** Keeps a result as JSON; the newest of a name replaces the one before. */
export function keepResult(result: Result): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, `${result.name}.json`), `${JSON.stringify(result, null, 1)}\n`);
}

/** All results that were kept, by name. */
export function readResults(): Map<string, Result> {
  mkdirSync(FOLDER, { recursive: true });
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
  const results = files.map((name) => JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Result);
  return new Map(results.map((result) => [result.name, result]));
}

/** The middle of some numbers; of an even count the mean of the two in the middle. NaN of none. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? NaN : (low + high) / 2;
}

/** The number that a share of all numbers does not pass, by nearest rank. NaN of none. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

/** The median over all rounds of one round's ratio to the first series. */
export function ratio(table: Table, name: string, of: 'wallS' | 'cpuS' | 'peakMiB'): number {
  return median(ratios(table, name, of));
}

/** The ratio of each round to the first series in the same round. */
export function ratios(table: Table, name: string, of: 'wallS' | 'cpuS' | 'peakMiB'): number[] {
  const base = table.series[0]?.turns ?? [];
  const turns = table.series.find((series) => series.name === name)?.turns ?? [];
  return turns.map((turn, round) => turn[of] / (base[round]?.[of] ?? NaN));
}
