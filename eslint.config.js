// Lint rules: strict typed rules, and the rooms that may not know each other (docs/architecture.md).
import tseslint from 'typescript-eslint';

const rooms = (files, patterns) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns }] },
});

export default tseslint.config(
  {
    ignores: [
      'node_modules/',
      'dist/',
      'dist-failpoints/',
      '.tools/',
      'coverage/',
      'shared/meta/gen/',
      // Taken over as it is, with its licence.
      'test/conformance/',
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['eslint.config.js'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      // fastify, commander and the generated messages make these two mostly noise.
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: true },
      ],
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
      ],
    },
  },
  rooms(
    ['shared/**/*.ts'],
    [
      {
        group: ['**/agent/**', '**/manager/**', '**/cli/**'],
        message: 'shared/ knows neither agent nor manager nor cli.',
      },
    ],
  ),
  rooms(
    ['agent/**/*.ts'],
    [{ group: ['**/manager/**', '**/cli/**'], message: 'agent/ never imports manager/ or cli/.' }],
  ),
  rooms(
    ['manager/**/*.ts'],
    [{ group: ['**/agent/**', '**/cli/**'], message: 'manager/ never imports agent/ or cli/.' }],
  ),
  {
    // Chai's assertions are expressions; tests may also reach into any room.
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unused-expressions': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  { files: ['*.js', '**/*.mjs'], ...tseslint.configs.disableTypeChecked },
  { files: ['eslint.config.js'], rules: { 'no-restricted-syntax': 'off' } },
);
