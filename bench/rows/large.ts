import type { Run, Subcommand } from '../subcommand.js';
import { FLOOR, move, ratioGoal, SLUICE, SLUICE_NO_MD5, statusGoal } from './moving.js';

/** 8 x 256 MiB with the default settings, and without the whole file's MD5, beside rclone and the floor. */
export const large: Subcommand = async ({ rounds, small }: Run) => {
  const [files, fileBytes] = small ? [4, 32 * 2 ** 20] : [8, 256 * 2 ** 20];
  const table = await move({
    title: `${files} x ${fileBytes / 2 ** 20} MiB`,
    ...{ files, fileBytes, rounds, transfers: 4, floor: true },
    ours: { [SLUICE]: {}, [SLUICE_NO_MD5]: { APP_CONTENT_MD5: 'false' } },
  });
  const goals = [
    ratioGoal(table, SLUICE, 'wallS', 0.85, 0.6),
    ratioGoal(table, SLUICE, 'cpuS', 0.95, 0.6),
    ratioGoal(table, SLUICE_NO_MD5, 'wallS', 0.6, 0.45),
    ratioGoal(table, SLUICE_NO_MD5, 'cpuS', 0.6, 0.45),
    statusGoal([table]),
  ];
  return { tables: [table], goals, notes: [`The floor (${FLOOR}) takes no checksum at all.`] };
};
