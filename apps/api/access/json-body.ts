import { TextDecoder } from 'node:util';

/** How deep objects and lists may stand in each other; no body of this api needs more than three. */
const DEPTH_MAX = 8;
/** Properties of all objects together. */
const KEYS_MAX = 100;
/** Values of all lists and objects together: the names of one retry, and some. */
const VALUES_MAX = 10_200;

const [QUOTE, COMMA, COLON, BACKSLASH] = [0x22, 0x2c, 0x3a, 0x5c];
const OPENING: ReadonlySet<number> = new Set([0x5b, 0x7b]);
const CLOSING: ReadonlySet<number> = new Set([0x5d, 0x7d]);

/** A body as an object, or why it is refused. */
export type ReadBody = { readonly body: Record<string, unknown> } | { readonly fault: string };

/** Reads a body that whoever sent it may have made to do harm: its shape is looked at before anything is made of it. */
export function parseBody(bytes: Buffer): ReadBody {
  const shape = shapeOf(bytes);
  if (shape.depth > DEPTH_MAX) return { fault: `the body is nested deeper than ${DEPTH_MAX} levels` };
  if (shape.keys > KEYS_MAX) return { fault: `the body has more than ${KEYS_MAX} properties` };
  if (shape.values > VALUES_MAX) return { fault: `the body has more than ${VALUES_MAX} values` };
  let body: unknown;
  try {
    // what is no UTF-8 would be read as other characters than were meant
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch (error) {
    const why = error instanceof SyntaxError ? error.message : 'its bytes are not UTF-8';
    return { fault: `the body is not valid JSON: ${why}` };
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return { fault: 'the body must be a JSON object, such as {"session_name": "my session"}' };
  // of two properties of one name the first would be lost without a word
  if (keysOf(body) < shape.keys) return { fault: 'the body has a property twice; send it once' };
  // names that every object has are lost on validators
  const inherited = Object.keys(body).find((name) => name in Object.prototype);
  if (inherited !== undefined) return { fault: `property "${inherited}" should not exist` };
  return { body: body as Record<string, unknown> };
}

/** Counts what a body consists of, without making anything of it, and ends as soon as a limit is passed. */
function shapeOf(bytes: Buffer): { depth: number; keys: number; values: number } {
  const shape = { depth: 0, keys: 0, values: 0 };
  let depth = 0;
  let inText = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    if (inText) {
      if (byte === BACKSLASH) i += 1;
      else if (byte === QUOTE) inText = false;
    } else if (byte === QUOTE) inText = true;
    else if (byte === COMMA) shape.values += 1;
    else if (byte === COLON) shape.keys += 1;
    else if (OPENING.has(byte)) {
      depth += 1;
      shape.depth = Math.max(shape.depth, depth);
    } else if (CLOSING.has(byte)) depth -= 1;
    if (shape.depth > DEPTH_MAX || shape.keys > KEYS_MAX || shape.values > VALUES_MAX) break;
  }
  return shape;
}

/** Properties of all objects of a value together. */
function keysOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce((sum: number, item) => sum + keysOf(item), own);
}
