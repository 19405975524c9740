import type { Redis } from 'ioredis';

/** A Lua script bound to a connection; its first key is always the prefix, so that all keys share one slot. */
export type Script = (...args: (string | number)[]) => Promise<unknown>;

/**
 * Binds a Lua script to a connection under a name of its own. ioredis sends its digest and falls back to the text
 * where Redis has lost it.
 *
 * @param name unique per connection, e.g. `sluiceBegin`
 */
export function bindScript(redis: Redis, name: string, prefix: string, lua: string): Script {
  redis.defineCommand(name, { numberOfKeys: 1, lua });
  const commands = redis as unknown as Record<string, (...args: (string | number)[]) => Promise<unknown>>;
  return (...args) => {
    const command = commands[name];
    if (!command) throw new Error(`the script ${name} is not defined`);
    return command.call(redis, prefix, ...args);
  };
}

/** The pairs of a flat answer such as HGETALL's in a script: field, value, field, value. */
export function pairsOf(flat: readonly string[]): [string, string][] {
  return flat.flatMap((field, i): [string, string][] => (i % 2 === 0 ? [[field, flat[i + 1] ?? '']] : []));
}
