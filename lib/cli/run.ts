import { CommanderError } from 'commander';
import { ExitCode, exitCodeOf, Interrupted } from './exit_code.js';
import { buildProgram } from './program.js';
import { Terminal } from './terminal.js';

/** Runs one command; whatever goes wrong is one line on standard error. */
export async function run(words: readonly string[]): Promise<ExitCode> {
  const terminal = new Terminal();
  let code: ExitCode = ExitCode.Fine;
  const program = buildProgram(terminal, (ended) => {
    code = ended;
  });
  try {
    await program.parseAsync(words, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return endOfParsing(error, terminal);
    terminal.note(messageOf(error));
    return exitCodeOf(error);
  }
}

/** Help and version were printed; anything else was a wrong call. */
function endOfParsing(error: CommanderError, terminal: Terminal): ExitCode {
  if (error.exitCode === 0) return ExitCode.Fine;
  if (error.code === 'commander.help') return ExitCode.Failure;
  const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
  terminal.note(`ERR_SNAPSHARD_INVALID_ARGUMENT: ${message} (see --help)`);
  return ExitCode.Failure;
}

function messageOf(error: unknown): string {
  if (error instanceof Interrupted) return error.message;
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  return `${code}: ${error.message.replace(/\s*\n\s*/g, ' ')}`;
}
