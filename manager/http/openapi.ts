// The head of the OpenAPI document; its paths come from the routes' own schemas.

export function openapiInfo(version: string) {
  return {
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
      { name: 'manager', description: 'This manager itself' },
    ],
  };
}
