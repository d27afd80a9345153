export { type App, type AppOptions, createApp } from './app.ts'
export { openApiText } from './openapi.ts'
export { type HttpServer, type ServerWorld, startServer } from './server.ts'
