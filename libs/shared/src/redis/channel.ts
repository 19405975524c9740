import type { Redis } from 'ioredis';

/**
 * The number of the database that a connection uses. A cluster has database 0 alone, and no such option.
 *
 * @see https://redis.io/docs/latest/develop/pubsub/ Pub/Sub knows no database: only a channel's name can tell them apart.
 */
export function databaseOf(redis: Redis): number {
  const { db } = redis.options as { readonly db?: number };
  return Number(db ?? 0);
}

/** The name of a channel of this prefix and database alone. */
export function channelOf(redis: Redis, prefix: string, name: 'events' | 'started' | 'questions'): string {
  return `${prefix}:${name}:${databaseOf(redis)}`;
}
