export { createApp } from './app.ts'
export { openApiText } from './openapi.ts'
export { type HttpServer, startServer } from './server.ts'
