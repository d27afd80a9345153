export { type App, type AppOptions, createApp } from './app.ts'
export { openApiText } from './openapi.ts'
export { type RunningServer, serve, type ServerOptions } from './server.ts'
