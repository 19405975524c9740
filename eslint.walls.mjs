/**
 * The walls between the rooms of the house, docs/design.md. ESLint takes only the last `no-restricted-*` that matches a
 * file, so each wall below is whole: the list of everything that its files must not do, each with its reason.
 * test/lint/ has a fixture for each wall, named like it, and test/unit/walls.test.ts proves that it bites.
 */

const ban = (regex, message) => ({ regex, message });

const noFs = ban(
  '^(node:)?fs(/|$)',
  'File calls belong to libs/shared/src/files: a hung mount costs threads there, and nothing else.',
);
const noAzure = ban(
  '^@azure/',
  'The Azure SDK belongs to apps/uploader/blob-store, which makes our errors of its own.',
);
const noNest = ban(
  '^@nestjs/',
  'Files that import Nest decide when; this one decides what, and is handed what it needs.',
);
const noBullMq = ban(
  '^bullmq(/|$)',
  'The queue library belongs to the queue room and to the processor; an outcome is a value.',
);
const noRedis = ban('^ioredis$', 'Redis is reached through the rooms redis, queue, records and pods.');
const noTraces = ban(
  '^@opentelemetry/',
  'OpenTelemetry is loaded by runtime/otlp.ts alone, and only where traces are asked for: take a Tracing.',
);
const noProcessModule = ban(
  '^(node:)?process$',
  'The environment is read by config alone, and only a main.ts may exit.',
);
const noApps = ban(
  '(^|/)apps/|^(\\.\\./)+(api|scanner|uploader|cli)(/|$)',
  'libs/shared is below the apps and knows none of them.',
);
const noOtherApp = ban(
  '(^|/)apps/|^(\\.\\./)+(api|scanner|uploader|cli)(/|$)',
  'An app never imports another app; what both need lives in libs/shared.',
);
const noTooling = ban(
  '^(\\.\\./)+(test|scripts|bench)/',
  'Tests, scripts and benchmarks use the product, never the other way round.',
);
const roomsByAlias = ban(
  '^@app/shared($|/[^/]+/.)|(^|/)libs/',
  'Import a whole room, @app/shared/<room>: there is no root barrel, and no room is opened from behind.',
);
const roomsByPath = ban(
  '^@app/|^\\.\\./(?![a-z]+/index\\.js$)',
  "Inside libs/shared a room imports another one as '../<room>/index.js'.",
);
const workersByFile = ban(
  '^@app/|^\\.\\./(?!([a-z]+/index|domain/[a-z-]+)\\.js$)',
  "Import another room as '../<room>/index.js'; worker threads load single files of domain, to start fast.",
);

const exit = {
  object: 'process',
  property: 'exit',
  message: 'Only a main.ts and runtime/process.ts may exit: throw, or return an outcome.',
};
const env = {
  object: 'process',
  property: 'env',
  message: 'The environment is read once, by config: take the setting as an argument.',
};
const clock = [
  { object: 'Date', property: 'now', message: 'Rules take now as an argument; then a test needs no clock.' },
  {
    object: 'Math',
    property: 'random',
    message: 'Rules take randomness as an argument; then a test can repeat it.',
  },
];
const hiddenImports = [
  {
    selector: 'ImportExpression',
    message: 'Imports stand at the head of a file, where the walls can see them.',
  },
  {
    selector: "CallExpression[callee.name='require']",
    message: 'Imports stand at the head of a file, where the walls can see them.',
  },
];
const currentTime = {
  selector: ":matches(NewExpression, CallExpression)[callee.name='Date'][arguments.length=0]",
  message: 'Rules take now as an argument; then a test needs no clock.',
};

// 'error' alone would keep the list of a wider wall
const list = (entries) => (entries.length > 0 ? ['error', ...entries] : 'off');

/** A wall: its name is its fixture's too. */
function wall(
  name,
  files,
  { imports, paths = [], properties = [exit, env], syntax = hiddenImports, globals = [], except = [] },
) {
  return {
    name: `walls/${name}`,
    files,
    ignores: except,
    rules: {
      'no-restricted-imports': ['error', { patterns: imports, paths }],
      'no-restricted-properties': list(properties),
      'no-restricted-syntax': list(syntax),
      'no-restricted-globals': list(globals),
    },
  };
}

const shared = 'libs/shared/src';
const inApps = [noTooling, noOtherApp, roomsByAlias, noProcessModule, noTraces];
const inRooms = [noTooling, noApps, noAzure, noProcessModule, noTraces, roomsByPath];
const drivers = ['main', 'scanner', 'scanner.module', 'scan-loop', 'metrics', 'parts'].map(
  (file) => `apps/scanner/${file}.ts`,
);
const pipeline = ['move-file', 'judge', 'run'].map((file) => `apps/uploader/${file}.ts`);

/** Every wall, from the widest to the narrowest: the last that matches a file holds. */
export const walls = [
  wall('app', ['apps/**/*.ts'], { imports: [...inApps, noFs, noAzure] }),
  wall('main', ['apps/*/main.ts'], { imports: [...inApps, noFs, noAzure], properties: [env] }),
  wall('cli', ['apps/cli/**/*.ts'], {
    // a program for people: it reads its own environment and ends with its own codes
    imports: [...inApps, noFs, noAzure, noBullMq, noRedis],
    properties: [],
    except: ['apps/cli/canary/**'],
  }),
  wall('canary', ['apps/cli/canary/**/*.ts'], {
    imports: [...inApps, noAzure, noBullMq, noRedis],
    properties: [],
  }),
  wall('flow', ['apps/scanner/*.ts', ...pipeline, 'apps/uploader/steps/**/*.ts'], {
    except: drivers,
    imports: [...inApps, noFs, noAzure, noNest, noBullMq, noRedis],
  }),
  wall('blob-store', ['apps/uploader/blob-store/**/*.ts'], {
    imports: [...inApps, noFs, noNest, noBullMq, noRedis],
  }),

  wall('room', [`${shared}/*/*.ts`], { imports: [...inRooms, noFs, noNest, noBullMq] }),
  wall('config', [`${shared}/config/*.ts`], {
    imports: [
      ban(
        '^(?!\\./|node:(net|path)$)',
        'Configuration is parsed purely: only its own files, node:net and node:path.',
      ),
    ],
    properties: [
      exit,
      { ...env, message: 'parseConfig is handed the environment; only runtime/process.ts reads it.' },
    ],
  }),
  wall('files', [`${shared}/files/*.ts`], {
    imports: [...inRooms.filter((rule) => rule !== roomsByPath), workersByFile, noNest, noBullMq, noRedis],
  }),
  wall('queue', [`${shared}/queue/*.ts`], { imports: [...inRooms, noFs, noNest] }),
  wall('runtime', [`${shared}/runtime/*.ts`], { imports: [...inRooms, noFs, noBullMq, noRedis] }),
  wall('process', [`${shared}/runtime/process.ts`], {
    imports: [...inRooms, noFs, noNest, noBullMq, noRedis],
    properties: [],
  }),
  wall('otlp', [`${shared}/runtime/otlp.ts`], {
    imports: [...inRooms.filter((rule) => rule !== noTraces), noFs, noNest, noBullMq, noRedis],
  }),
  wall('version', [`${shared}/runtime/version.ts`], { imports: [...inRooms, noNest, noBullMq, noRedis] }),
  wall('domain', [`${shared}/domain/*.ts`], {
    imports: [
      ban(
        '^(?!\\./|node:(crypto|path)$)',
        'domain is pure: only its own files, node:crypto (digests) and node:path.',
      ),
    ],
    paths: [
      {
        name: 'node:crypto',
        allowImportNames: ['createHash'],
        message: 'domain takes digests; random bytes come in as arguments.',
      },
    ],
    properties: clock,
    syntax: [...hiddenImports, currentTime],
    globals: ['process', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'fetch', 'crypto'].map(
      (name) => ({
        name,
        message: 'domain is pure: no environment, no clock, no timer, no network.',
      }),
    ),
  }),
];
