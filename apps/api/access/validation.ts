import { BadRequestException, ValidationPipe } from '@nestjs/common';
import { getMetadataStorage, type ValidationError } from 'class-validator';

/** Refuses bodies with other properties than their class has, and says which there are. */
export function validation(): ValidationPipe {
  return new ValidationPipe({
    whitelist: true,
    forbidNonWhitelisted: true,
    transform: false,
    validationError: { target: true },
    exceptionFactory: (errors) => new BadRequestException(errors.flatMap(sentencesOf)),
  });
}

/** Characters of a property's name that a sentence repeats. */
const NAME_MAX = 80;

function sentencesOf({ property, constraints = {}, target, children = [] }: ValidationError): string[] {
  const own = Object.entries(constraints).map(([kind, sentence]) =>
    kind === 'whitelistValidation' ? unknownProperty(property, target) : sentence,
  );
  return [...own, ...children.flatMap(sentencesOf)];
}

/** The sentence for a property that a class does not have. */
function unknownProperty(property: string, target: object | undefined): string {
  const known = target === undefined ? [] : propertiesOf(target.constructor);
  const names = known.length === 0 ? 'none' : known.join(', ');
  const name = JSON.stringify(property.length > NAME_MAX ? `${property.slice(0, NAME_MAX)}…` : property);
  return `property ${name} should not exist; this call takes ${names}`;
}

function propertiesOf(type: object): string[] {
  const rules = getMetadataStorage().getTargetValidationMetadatas(type as new () => object, '', false, false);
  return [...new Set(rules.map(({ propertyName }) => propertyName))].sort();
}
