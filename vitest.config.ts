/** Two projects: `unit` in Node and `browser` in a real Chromium. */
import { existsSync } from "node:fs";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { viteWorkerScript } from "./js/worker-plugin.mjs";

const SYSTEM_CHROMIUM = "/usr/bin/chromium";

/** The browser named by CHROMIUM_PATH, else the system's, else the one Playwright installed for itself. */
const executable = process.env.CHROMIUM_PATH || (existsSync(SYSTEM_CHROMIUM) ? SYSTEM_CHROMIUM : undefined);

// A machine without a network to spare must not have the browser look for updates while tests run.
const quiet = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export default defineConfig({
  plugins: [viteWorkerScript],
  test: {
    projects: [
      {
        extends: true,
        test: { name: "unit", environment: "node", include: ["js/test/*.test.ts"] },
      },
      {
        extends: true,
        test: {
          name: "browser",
          include: ["js/test/browser/*.test.ts"],
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: { args: quiet, ...(executable ? { executablePath: executable } : {}) },
            }),
            instances: [{ browser: "chromium" }],
          },
        },
      },
    ],
  },
});
