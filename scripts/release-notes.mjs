// Prints what CHANGELOG.md says of a release, once every place that names the version names this one.
// usage: node scripts/release-notes.mjs v0.2.0 [ADDRESS]     ADDRESS: where the repository's files of that tag can be read
import { readFileSync } from 'node:fs';

const [tag = '', address] = process.argv.slice(2);
const version = tag.replace(/^v/, '');
const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const named = (path, pattern) => [path, pattern.exec(read(path))?.[1]];

/** Where a release's version is written by hand. */
const places = [
  named('package.json', /^ {2}"version": "(.+)",$/m),
  named('package-lock.json', /^ {2}"version": "(.+)",$/m),
  named('charts/sluice/Chart.yaml', /^version: (.+)$/m),
  named('charts/sluice/Chart.yaml', /^appVersion: (.+)$/m),
  named('k8s/base/kustomization.yaml', /^ +newTag: (.+)$/m),
  named('k8s/canary/kustomization.yaml', /^ +newTag: (.+)$/m),
  named('Dockerfile', /^ARG VERSION=(.+)$/m),
  named('docker-compose.yml', /^ +image: sluice:(.+)$/m),
  named('CHANGELOG.md', /^## ([0-9].*)$/m),
];
const others = places.filter(([, found]) => found !== version);
if (!/^v\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$/.test(tag) || others.length > 0) {
  console.error(
    `release-notes: the tag is ${tag || 'not given'}; it must be v and the version that all of these name`,
  );
  for (const [path, found] of others) console.error(`  ${path}: ${found ?? 'none'}`);
  process.exit(1);
}
// the newest version is the first; what is not released yet stands above it
const [, notes = ''] = read('CHANGELOG.md').split(/^## [0-9].*$/m);
// a release's page knows nothing of the repository's folders
console.log(address ? notes.trim().replace(/\]\((?!https?:|#)/g, `](${address}/`) : notes.trim());
