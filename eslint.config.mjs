import tseslint from 'typescript-eslint';
import { walls } from './eslint.walls.mjs';

export default tseslint.config(
  { ignores: ['node_modules', 'dist', '.local', 'artifacts', 'bench/results', 'test/lint', '**/*.mjs'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      // a control character in a pattern is meant where a comment says so
      'no-control-regex': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      // numbers read well in a sentence
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // what is left out of a copy has to be named
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true, argsIgnorePattern: '^_' }],
      // a caught value is thrown on as it came
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true }],
      // an async method without await keeps the promise that its callers rely on
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // an answer of the API is any until the assertion beside it has looked
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      'no-restricted-imports': [
        'error',
        { name: 'node:test', message: 'jest runs the tests: import test from test/support' },
      ],
    },
  },
  ...walls,
);
