// The reference of the API: Swagger UI over this broker's own document, whose requests go to this broker wherever it is.

declare const SwaggerUIBundle: (options: Record<string, unknown>) => void

async function show(): Promise<void> {
  const response = await fetch('/openapi.json')
  const description = (await response.json()) as Record<string, unknown>
  SwaggerUIBundle({
    dom_id: '#reference',
    spec: { ...description, servers: [{ url: location.origin }] },
    deepLinking: true,
    docExpansion: 'list',
    defaultModelsExpandDepth: 0,
    tryItOutEnabled: true,
    // It would ask a service elsewhere whether the document is valid.
    validatorUrl: null,
  })
}

const dark = matchMedia('(prefers-color-scheme: dark)')
const dress = (): boolean => document.documentElement.classList.toggle('dark-mode', dark.matches)
dark.addEventListener('change', dress)
dress()
void show()
