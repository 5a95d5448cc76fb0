import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface SourceFile {
  path: string;
  text: string;
}

function sources(folder: string, endings: RegExp): SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => endings.test(path))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

const nativeFiles = sources('native', /\.(cc|h)$/);
const libraryFiles = sources('lib', /\.ts$/);

/** What each folder of native/ may include, besides itself. */
const allowed: Record<string, string[]> = {
  base: [],
  memory: ['base'],
  io: ['base', 'memory'],
  device: ['base', 'memory'],
  codec: ['base'],
  transfer: ['base', 'memory', 'io', 'device', 'codec'],
  napi: ['base', 'memory', 'io', 'device', 'codec', 'transfer'],
};

function nativeLayer(path: string): string {
  return path.split('/')[1] ?? '';
}

function localIncludes(file: SourceFile): string[] {
  return [...file.text.matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)].map((match) => match[1]!);
}

/** Paths of the modules below lib/ that a module names in `import`, `export … from` or `import()`. */
function importedModules(file: SourceFile): string[] {
  return [...file.text.matchAll(/\b(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) =>
    relative(root, resolve(root, dirname(file.path), match[1]!)).replace(/\.js$/, '.ts'),
  );
}

describe('native layers', () => {
  it('has files to look at', () => {
    expect(nativeFiles.length).toBeGreaterThan(10);
    expect(libraryFiles.length).toBeGreaterThan(10);
  });

  it('includes Node-API only in napi/ and addon.cc', () => {
    const users = nativeFiles.filter(({ text }) =>
      /#\s*include\s+[<"](napi|node_api|js_native_api)[^>"]*[>"]/.test(text),
    );
    const strangers = users.map(({ path }) => path).filter((path) => !/^native\/(napi\/|addon\.cc$)/.test(path));
    expect(strangers).toEqual([]);
  });

  it('includes only downwards: base <- memory, io, device, codec <- transfer <- napi', () => {
    const upwards = nativeFiles.flatMap((file) => {
      const layer = nativeLayer(file.path);
      const reachable = new Set([layer, ...(allowed[layer] ?? Object.keys(allowed))]);
      return localIncludes(file)
        .map((include) => ({ include, target: include.split('/')[0] ?? '' }))
        .filter(({ include, target }) => include.includes('/') && target in allowed && !reachable.has(target))
        .map(({ include }) => `${file.path} includes ${include}`);
    });
    expect(upwards).toEqual([]);
  });

  it('knows every folder of native/', () => {
    const folders = nativeFiles.map(({ path }) => path.split('/').slice(1, -1)[0]).filter((name) => name !== undefined);
    expect([...new Set(folders)].filter((name) => !(name in allowed))).toEqual([]);
  });
});

describe('library layers', () => {
  const modules = new Map(libraryFiles.map((file) => [file.path, importedModules(file)]));

  function reaches(path: string, target: string, seen = new Set<string>()): boolean {
    if (path === target) return true;
    if (seen.has(path)) return false;
    seen.add(path);
    return (modules.get(path) ?? []).some((next) => reaches(next, target, seen));
  }

  it('keeps tensor/ and layout/ pure: they never reach the binding', () => {
    const impure = [...modules.keys()]
      .filter((path) => /^lib\/(tensor|layout)\//.test(path))
      .filter((path) => reaches(path, 'lib/binding.ts'));
    expect(impure).toEqual([]);
  });

  it('names the add-on in lib/binding.ts alone', () => {
    const namers = libraryFiles.filter(({ text }) => /['"`][^'"`\n]*\.node['"`]/.test(text)).map(({ path }) => path);
    expect(namers).toEqual(['lib/binding.ts']);
  });

  it('resolves every relative import, by its .js name', () => {
    const missing = [...modules].flatMap(([path, imports]) =>
      imports.filter((name) => !modules.has(name)).map((name) => `${path} imports ${name}`),
    );
    expect(missing).toEqual([]);
  });
});
