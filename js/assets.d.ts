/** Style sheets arrive as text: esbuild by its loader, Vite by the suffix. */
declare module "*.css?inline" {
  const css: string;
  export default css;
}
