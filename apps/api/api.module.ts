import { Module, type DynamicModule } from '@nestjs/common';
import type { Registry } from 'prom-client';
import { ProbesModule, type Health } from '@app/shared/runtime';
import { EventStream } from './events/event-stream.js';
import { EventsController } from './events/events.controller.js';
import { FilesController } from './files/files.controller.js';
import { RestoreController } from './files/restore.controller.js';
import { ApiParts } from './parts.js';
import { PlanController } from './plan/plan.controller.js';
import { SessionsController } from './sessions/sessions.controller.js';
import { StatusController } from './status/status.controller.js';
import { VerifyController } from './sessions/verify.controller.js';
import { WatchController } from './watch/watch.controller.js';

/** The api's resources; what they work with is composed in `api.ts`. */
@Module({})
export class ApiModule {
  static forRoot(health: Health, registry: Registry, parts: ApiParts, stream: EventStream): DynamicModule {
    return {
      module: ApiModule,
      imports: [ProbesModule.forRoot(health, registry)],
      controllers: [
        WatchController,
        StatusController,
        SessionsController,
        VerifyController,
        FilesController,
        PlanController,
        RestoreController,
        EventsController,
      ],
      providers: [
        { provide: ApiParts, useValue: parts },
        { provide: EventStream, useValue: stream },
      ],
    };
  }
}
