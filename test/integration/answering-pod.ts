import { once } from 'node:events';
import { HEARTBEAT_MS, Pods } from '@app/shared/pods';
import { Answering } from '@app/shared/questions';
import { connectForWork } from '@app/shared/redis';

// A pod that answers: node answering-pod.js <redis url> <id> <role>. It reports like a pod and writes what it does.

const [, , url = '', id = '', role = 'uploader'] = process.argv;
const settings = { url, prefix: '{sluice}', credential: 'url' as const };
const [redis, listening] = [
  connectForWork(settings, () => undefined),
  connectForWork(settings, () => undefined),
];
const pods = new Pods(redis, '{sluice}');
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const answering = new Answering(redis, listening, '{sluice}', role as 'uploader', id, {
  who: () => Promise.resolve({ pod: id }),
  // answers once it is told to, or once nobody waits
  hold: async (_data, signal) => {
    say('holds');
    await Promise.race([once(process, 'SIGUSR2'), once(signal, 'abort')]);
    say(signal.aborted ? 'let go' : 'answers');
    return { pod: id };
  },
  die: () => process.exit(1),
  refuse: () => Promise.reject(new Error('the store is away')),
  large: ({ bytes }) => Promise.resolve({ text: 'x'.repeat(Number(bytes)) }),
});

const report = () =>
  pods.report({
    ...{ id, role: role as 'uploader', name: id, version: '0', started_at: '', ready: true, standby: false },
    ...{ volume: null, disk: { volume: null, staging: null }, problems: [], hands: [], rates: {} },
  });

process.once(
  'SIGTERM',
  () =>
    void answering
      .stop()
      .then(() => pods.leave(id))
      .then(() => process.exit(0)),
);
void answering
  .start()
  .then(report)
  .then(() => {
    setInterval(() => void report(), HEARTBEAT_MS);
    say('ready');
  });
