import { Controller, Get, Header, HttpStatus, Module, Res, type DynamicModule } from '@nestjs/common';
import type { Response } from 'express';
import { Registry } from 'prom-client';
import { Health } from './health.js';

/** `GET /healthz`, `GET /readyz` and `GET /metrics` of every process; the api documents its own. */
@Controller()
export class ProbesController {
  constructor(
    private readonly health: Health,
    private readonly registry: Registry,
  ) {}

  /** Whether the process lives. */
  @Get('healthz')
  healthz(@Res({ passthrough: true }) response: Response): object {
    const reasons = this.health.liveReasons();
    if (reasons.length === 0) return { ok: true };
    response.status(HttpStatus.SERVICE_UNAVAILABLE);
    return { ok: false, reasons };
  }

  /** Whether the process can work. */
  @Get('readyz')
  readyz(@Res({ passthrough: true }) response: Response): object {
    const reasons = this.health.readyReasons();
    if (reasons.length === 0) return { ready: true };
    response.status(HttpStatus.SERVICE_UNAVAILABLE);
    return { ready: false, reasons };
  }

  /** Metrics in Prometheus' text format. */
  @Get('metrics')
  @Header('Content-Type', Registry.PROMETHEUS_CONTENT_TYPE)
  async metrics(): Promise<string> {
    return this.registry.metrics();
  }
}

/** The probes as a module; the app hands in its health and its metrics. */
@Module({})
export class ProbesModule {
  static forRoot(health: Health, registry: Registry): DynamicModule {
    return {
      module: ProbesModule,
      global: true,
      controllers: [ProbesController],
      providers: [
        { provide: Health, useValue: health },
        { provide: Registry, useValue: registry },
      ],
      exports: [Health, Registry],
    };
  }
}
