import picomatch from 'picomatch';
import { lastPart } from '@app/shared/domain';

/**
 * What `APP_IGNORE_PATTERNS` lists: a pattern without a slash is matched against the last part of a name, one that holds a
 * slash against the whole path.
 */
export function ignoredBy(patterns: readonly string[]): (name: string) => boolean {
  const matcher = (some: string[]) => (some.length > 0 ? picomatch(some, { dot: true }) : () => false);
  const ofPart = matcher(patterns.filter((pattern) => !pattern.includes('/')));
  const ofPath = matcher(patterns.filter((pattern) => pattern.includes('/')));
  return (name) => ofPart(lastPart(name)) || ofPath(name);
}
