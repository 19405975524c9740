import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { PodReport } from '@app/shared/pods';
import { queueBrakes } from '@app/shared/queue';
import { totals } from '@app/shared/records';
import { ApiParts } from '../parts.js';
import { Problems } from '../problems/decorators.js';
import { problemsOf } from './problems.js';
import { Status, type PodView } from './status.dto.js';

/** The whole system at a glance. */
@ApiTags('status')
@Controller('v1/status')
export class StatusController {
  constructor(private readonly parts: ApiParts) {}

  @Get()
  @ApiOperation({
    summary: 'The whole system at a glance',
    description: 'All pods together; counters count a file once, however often it was attempted.',
  })
  @ApiOkResponse({ type: Status })
  @Problems()
  async status(): Promise<Status> {
    const { redis, prefix, gate, queue, sessions, incoming, pods, ownProblems, podsAreHeard } = this.parts;
    // asked at once, so that all of it is one round trip
    const [watch, sums, counts, brakes, view, alive] = await gate.ask(() =>
      Promise.all([
        sessions.watch(),
        totals(redis, prefix),
        queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed', 'failed'),
        queueBrakes(queue),
        incoming.view(),
        pods.alive(),
      ]),
    );
    const jobs = {
      waiting: (counts.waiting ?? 0) + (counts.prioritized ?? 0),
      active: counts.active ?? 0,
      delayed: counts.delayed ?? 0,
      failed: counts.failed ?? 0,
    };
    const scanner = alive.some((pod) => pod.role === 'scanner');
    return {
      enabled: watch?.enabled ?? false,
      stopping: (watch?.stopping ?? null) !== null,
      active_session: watch?.session?.name ?? null,
      processed_ok: sums.processedOk,
      processed_err: sums.processedErr,
      last_error: sums.lastError,
      queue: jobs,
      incoming:
        scanner && view
          ? {
              seen: view.seen,
              settling: view.settling,
              held: view.held,
              ignored: view.ignored,
              oldest_age_s: view.oldest_age_s,
            }
          : null,
      pods: alive.map(podView),
      problems: problemsOf(alive, {
        enabled: watch?.enabled ?? false,
        open: jobs.waiting + jobs.active + jobs.delayed,
        brakes,
        podsAreHeard: podsAreHeard(),
        seen: ownProblems(),
      }),
    };
  }
}

function podView({ hands, rates: _rates, sidecars: _sidecars, ...pod }: PodReport): PodView {
  return { ...pod, problems: [...pod.problems], in_hand: hands.length };
}
