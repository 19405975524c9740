import { Module, type DynamicModule } from '@nestjs/common';
import type { Registry } from 'prom-client';
import { ProbesModule, type Health } from '@app/shared/runtime';

/** The uploader's HTTP side: probes and metrics. What it does is composed in `uploader.ts`. */
@Module({})
export class UploaderModule {
  static forRoot(health: Health, registry: Registry): DynamicModule {
    return { module: UploaderModule, imports: [ProbesModule.forRoot(health, registry)] };
  }
}
