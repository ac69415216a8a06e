// The OpenAPI document: its head, and how it is made from the schemas that validate.
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import {
  createJsonSchemaTransform,
  createJsonSchemaTransformObject,
} from 'fastify-type-provider-zod';

interface JsonSchema {
  additionalProperties?: unknown;
}

/** Answers may carry more members than are listed: clients ignore what they do not know, so the document says so too. */
const zodToJsonConfig = {
  override: ({ jsonSchema }: { jsonSchema: JsonSchema }) => {
    if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
  },
};

/** @param version of the program */
export function openapiOptions(version: string): FastifyDynamicSwaggerOptions {
  const transformObject = createJsonSchemaTransformObject({ zodToJsonConfig });
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'ClusterFlux manager',
        version,
        description:
          'Registry of nodes and versioned metadata of clusters. Keys are kebab-case, times RFC 3339 UTC; clients ignore members that they do not know. Errors are application/problem+json with a stable `code`.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: 'http://127.0.0.1:8000' }],
      tags: [
        { name: 'nodes', description: 'The registry: nodes, heartbeats, managers' },
        { name: 'clusters', description: 'Clusters and the versions of their metadata' },
        { name: 'placement', description: 'Which nodes keep which shard groups' },
        { name: 'manager', description: 'This manager itself' },
      ],
    },
    transform: createJsonSchemaTransform({ zodToJsonConfig }),
    transformObject: (document) => withoutUnused(transformObject(document) as Document),
  };
}

interface Document {
  components?: { schemas?: Record<string, object> };
}

/** The library describes every shape twice, as a request and as an answer; only what something refers to is kept. */
function withoutUnused(document: Document): Document {
  const schemas = document.components?.schemas ?? {};
  const text = JSON.stringify(document);
  const used = Object.entries(schemas).filter(([name]) =>
    text.includes(`"#/components/schemas/${name}"`),
  );
  return { ...document, components: { schemas: Object.fromEntries(used) } };
}
