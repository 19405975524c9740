import { FILE_STATES } from '@app/shared/domain';
console.log(FILE_STATES);
