import { Controller, Get, Header, HttpStatus, Module, Res, type DynamicModule } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiServiceUnavailableResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { Registry } from 'prom-client';
import { Health } from './health.js';

/** The schema of a probe's answer; `reasons` are there where it says no. */
const probe = (word: string) => ({
  type: 'object' as const,
  required: [word],
  properties: {
    [word]: { type: 'boolean', example: true },
    reasons: { type: 'array', items: { type: 'string' } },
  },
});
const LIVES = probe('ok');
const WORKS = probe('ready');

/** `GET /healthz`, `GET /readyz` and `GET /metrics` of every process. */
@ApiTags('probes')
@Controller()
export class ProbesController {
  constructor(
    private readonly health: Health,
    private readonly registry: Registry,
  ) {}

  /** Whether the process lives. */
  @Get('healthz')
  @ApiOperation({ summary: 'Whether the process lives' })
  @ApiOkResponse({ schema: { ...LIVES, example: { ok: true } } })
  @ApiServiceUnavailableResponse({
    schema: { ...LIVES, example: { ok: false, reasons: ['a file operation hangs for 301 s'] } },
  })
  healthz(@Res({ passthrough: true }) response: Response): object {
    const reasons = this.health.liveReasons();
    if (reasons.length === 0) return { ok: true };
    response.status(HttpStatus.SERVICE_UNAVAILABLE);
    return { ok: false, reasons };
  }

  /** Whether the process can work. */
  @Get('readyz')
  @ApiOperation({ summary: 'Whether the process can work' })
  @ApiOkResponse({ schema: { ...WORKS, example: { ready: true } } })
  @ApiServiceUnavailableResponse({
    schema: { ...WORKS, example: { ready: false, reasons: ['Redis is away'] } },
  })
  readyz(@Res({ passthrough: true }) response: Response): object {
    const reasons = this.health.readyReasons();
    if (reasons.length === 0) return { ready: true };
    response.status(HttpStatus.SERVICE_UNAVAILABLE);
    return { ready: false, reasons };
  }

  /** Metrics in Prometheus' text format. */
  @Get('metrics')
  @ApiOperation({ summary: 'Metrics for Prometheus' })
  @ApiOkResponse({ content: { 'text/plain': { schema: { type: 'string' } } } })
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
