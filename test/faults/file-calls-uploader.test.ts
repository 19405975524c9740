import { test } from '../support/index.js';
import { everyFileCall } from './lab/file-calls.js';

test(
  'every call of the uploader that changes a file may kill it, fail, or report failure although it was made',
  { timeout: 1_200_000 },
  (t) => everyFileCall(t, 'uploader'),
);
