import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const environment = fileURLToPath(new URL('../../.venv', import.meta.url));
const requirements = fileURLToPath(new URL('requirements.txt', import.meta.url));
const stamp = `${environment}/requirements.sha256`;

/** Makes the Python environment of the interop tests in `.venv`, once for each state of requirements.txt. */
export default function setup(): void {
  const wanted = createHash('sha256').update(readFileSync(requirements)).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  rmSync(environment, { recursive: true, force: true });
  execFileSync('python3', ['-m', 'venv', environment], { stdio: 'inherit' });
  execFileSync(`${environment}/bin/pip`, ['install', '--quiet', '--no-input', '-r', requirements], {
    stdio: ['ignore', 'inherit', 'ignore'],
    env: { ...process.env, PIP_RETRIES: '0', PIP_DISABLE_PIP_VERSION_CHECK: '1' },
  });
  writeFileSync(stamp, wanted);
}
