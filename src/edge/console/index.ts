export { isPage, pageAnswer, pagePaths } from './pages.ts'
