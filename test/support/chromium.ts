import { existsSync } from 'node:fs';

/** Debian's; `CHROMIUM` names another. */
export const chromiumPath = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Why a test in a browser cannot run; empty where it can. */
export const chromiumMissing = existsSync(chromiumPath)
  ? ''
  : `${chromiumPath} is missing: apt-get install -y chromium`;
