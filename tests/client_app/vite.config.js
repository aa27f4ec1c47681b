import { defineConfig } from 'vite';

// Both versions of Amplify are here; the recipe for v5 means its own.
const amplifyV5 = {
  name: 'amplify-v5',
  enforce: 'pre',
  resolveId(source, importer) {
    if (source === 'aws-amplify' && importer?.endsWith('/amplify-v5.js')) {
      return this.resolve('@aws-amplify/auth-v5', importer);
    }
  },
};

export default defineConfig({
  plugins: [amplifyV5],
  define: { global: 'globalThis' }, // for Amplify v5
  build: { target: 'esnext', minify: false, chunkSizeWarningLimit: 10_000 },
});
