/** One feed for all tests; Playwright starts it, reads its port off its first line, and stops it. Playwright 1.57 or later. */
import { defineConfig } from "@playwright/test";

export default defineConfig({
  testMatch: "*.spec.mjs",
  fullyParallel: true,
  webServer: {
    command: "tickerplant serve --control --port 0 --ready-json --exit-with-parent"
      + " --clock manual --rate 0 --symbols AAPL,MSFT" // nothing happens but what a test says
      + ' --origin "*"', // pages from elsewhere may read; none may drive it
    wait: { stdout: /"port":(?<feed_port>\d+)/ }, // becomes process.env.FEED_PORT
  },
  use: { launchOptions: { executablePath: process.env.CHROMIUM } },
});
