export { createApp } from './app.ts'
export { asyncApiText } from './asyncapi.ts'
export { openApiText } from './openapi.ts'
export { type HttpServer, listen } from './server.ts'
