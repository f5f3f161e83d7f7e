/** The JSON Schema of each file, for editors: made from the schemas that the parser uses. */
import { type ConversionConfig, type JsonSchema, toJsonSchema } from '@valibot/to-json-schema';
import { hostSchema } from './host-schema.ts';
import { hostsSchema } from './hosts-schema.ts';
import { repoSchema } from './repo-schema.ts';

/** What cannot be said in JSON Schema (such as "a schedule that comes at some time") is left to the parser. */
const OPTIONS: ConversionConfig = { target: 'draft-07', typeMode: 'input', errorMode: 'ignore' };

export const hostJsonSchema = (): JsonSchema => toJsonSchema(hostSchema, OPTIONS);
export const repoJsonSchema = (): JsonSchema => toJsonSchema(repoSchema, OPTIONS);
export const hostsJsonSchema = (): JsonSchema => toJsonSchema(hostsSchema, OPTIONS);
