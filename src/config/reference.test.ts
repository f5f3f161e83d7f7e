import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonSchema } from '@valibot/to-json-schema';
import { expect, test } from 'vitest';
import { parseHostConfig } from './host-config.ts';
import { parseExpectedHosts } from './hosts-yaml.ts';
import { hostJsonSchema, hostsJsonSchema, repoJsonSchema } from './json-schema.ts';
import { generatedFiles } from './reference.ts';
import { parseRepoConfig } from './repo-config.ts';

const root = join(import.meta.dirname, '../..');

test.each([...generatedFiles().keys()])(
  '%s is in step with the schemas (else: node scripts/docs.mjs)',
  (path) => {
    expect(readFileSync(join(root, path), 'utf8')).toBe(generatedFiles().get(path));
  },
);

/** Keys of mappings, by their path, that say nothing about themselves. */
function undescribed(schema: JsonSchema, path = ''): string[] {
  const properties = Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>);
  const nested = [schema.additionalProperties, schema.items, ...(schema.anyOf ?? [])] as JsonSchema[];
  return [
    ...properties.flatMap(([key, value]) => [
      ...(value.description || isDescribedInside(value) ? [] : [`${path}.${key}`]),
      ...undescribed(value, `${path}.${key}`),
    ]),
    ...nested.filter((one) => typeof one === 'object').flatMap((one) => undescribed(one, `${path}.*`)),
  ];
}

function isDescribedInside(schema: JsonSchema): boolean {
  return ((schema.anyOf ?? []) as JsonSchema[]).some((one) => one.description);
}

test('every key has a description, which editors and the reference pages show', () => {
  expect(undescribed(hostJsonSchema())).toEqual([]);
  expect(undescribed(repoJsonSchema())).toEqual([]);
  expect(undescribed(hostsJsonSchema())).toEqual([]);
});

test('no mapping of the schemas accepts other keys', () => {
  const all = JSON.stringify([hostJsonSchema(), hostsJsonSchema(), repoJsonSchema()]);
  const open = all.match(/"properties"/g)!.length;
  const closed = all.match(/"additionalProperties":false/g)!.length;
  expect(closed).toBe(open);
});

test('the examples of the reference pages are valid', () => {
  const example = (path: string) => /```yaml\n(.*?)```/s.exec(generatedFiles().get(path)!)![1]!;
  const config = parseHostConfig(example('docs/host-yaml.md'), 'x', { hostName: 'h', configFolder: '/' });
  expect(config.repos).toHaveLength(1);
  expect(parseRepoConfig(example('docs/pullyu-yaml.md'), { repo: 'it' })).toHaveLength(3);
  expect(parseExpectedHosts(example('docs/hosts-yaml.md'))).toHaveLength(2);
});
