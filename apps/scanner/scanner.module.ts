import { Module, type DynamicModule } from '@nestjs/common';
import type { Registry } from 'prom-client';
import { ProbesModule, type Health } from '@app/shared/runtime';

/** The scanner's HTTP side: probes and metrics. What it does is composed in `scanner.ts`. */
@Module({})
export class ScannerModule {
  static forRoot(health: Health, registry: Registry): DynamicModule {
    return { module: ScannerModule, imports: [ProbesModule.forRoot(health, registry)] };
  }
}
