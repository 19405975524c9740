import type { LoggerService } from '@nestjs/common';
import { pino, type Logger } from 'pino';
import pretty from 'pino-pretty';
import { secretsOf, type Config } from '../config/index.js';

export type { Logger } from 'pino';

/** Shorter texts are no secrets; characters. */
const LEAST_SECRET = 4;

/**
 * The logger of one process: JSON lines to stdout (or text for people), each with role and pod. Written synchronously,
 * so that the last line before an exit is not lost. No secret of the configuration passes, whatever field it is in.
 *
 * @param pod host name of the pod
 */
export function createLogger(config: Config, pod: string): Logger {
  // one of a few characters stands in every line, and hides nothing
  const secrets = secretsOf(config)
    .filter((secret) => secret.length >= LEAST_SECRET)
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]);
  return pino(
    {
      level: config.log.level,
      base: { role: config.role, pod },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: {
        streamWrite: (line) =>
          secrets
            .reduce((text, secret) => text.replaceAll(secret, '[redacted]'), line)
            // signatures come out of files, and may change
            .replace(/\bsig=[^&\s"'\\]+/g, 'sig=[redacted]'),
      },
    },
    config.log.format === 'pretty'
      ? pretty({
          sync: true,
          ignore: 'role,pod',
          messageFormat: '{role}: {msg}',
          translateTime: 'SYS:HH:MM:ss.l',
        })
      : pino.destination({ dest: 1, sync: true }),
  );
}

/** Lets Nest speak through our logger; its own chatter is `debug`. */
export function nestLogger(log: Logger): LoggerService {
  const line = (level: 'debug' | 'warn' | 'error') => (message: unknown) => log[level](String(message));
  return {
    log: line('debug'),
    debug: line('debug'),
    verbose: line('debug'),
    warn: line('warn'),
    error: line('error'),
    fatal: line('error'),
  };
}
