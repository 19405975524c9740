import { messageOf, StoreError } from '@app/shared/domain';
import type { SecretFile } from '@app/shared/files';
import { SAS_UNREADABLE } from './errors.js';

/** A shared access signature out of a file that somebody exchanges before it runs out, or after. */
export class SharedAccess {
  constructor(private readonly file: SecretFile) {}

  /**
   * The signature as it goes into a URL's query.
   *
   * @throws StoreError where the file cannot be read or holds none
   */
  async query(): Promise<string> {
    return queryOf(await this.text());
  }

  /** After a refusal: whether the file holds another signature than the one that was refused. */
  async renewed(refused: string): Promise<boolean> {
    try {
      await this.file.again();
      return (await this.query()) !== refused;
    } catch {
      return false;
    }
  }

  private async text(): Promise<string> {
    try {
      return await this.file.text();
    } catch (error) {
      throw new StoreError(SAS_UNREADABLE, 'probe', `APP_AZURE_SAS_FILE: ${messageOf(error)}`);
    }
  }
}

/** Takes the signature alone, with the `?` before it, or a whole URL that holds it. */
function queryOf(text: string): string {
  const query = text.slice(text.indexOf('?') + 1);
  if (/\s/.test(query) || !new URLSearchParams(query).get('sig'))
    throw new StoreError(
      SAS_UNREADABLE,
      'probe',
      'APP_AZURE_SAS_FILE holds no shared access signature; wanted is the one line that the portal shows as SAS token',
    );
  return query;
}

/** The error of a signature that the service refuses; says when it ran out, where that is so. */
export function signatureRefused(query: string, code: string, doing: string): StoreError {
  const end = Date.parse(new URLSearchParams(query).get('se') ?? '');
  const why = end < Date.now() ? `ran out at ${new Date(end).toISOString()}` : 'is refused';
  const message = `403 ${code} from ${doing}: the shared access signature in APP_AZURE_SAS_FILE ${why}; put a new one there`;
  return new StoreError(code, 'probe', message, 403);
}

/** A URL with the signature in its query. */
export function signed(url: string, query: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}${query}`;
}
