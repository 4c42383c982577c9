// Puts a .br and a .gz beside every text file of a built site, so that the server compresses nothing itself.
//   node scripts/precompress.mjs target/site
// cargo-leptos --precompress does the same; in the unoptimised cargo-leptos that scripts/setup installs it takes a minute.
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const TEXT = /\.(css|html|ico|js|json|svg|txt|wasm|xml)$/;

function compress(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) compress(path);
    else if (TEXT.test(entry.name)) {
      const plain = readFileSync(path);
      const hint = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length };
      const small = brotliCompressSync(plain, { params: hint });
      writeFileSync(`${path}.br`, small);
      writeFileSync(`${path}.gz`, gzipSync(plain, { level: 9 }));
      if (plain.length > 100_000) console.error(`    ${entry.name}: ${Math.ceil(plain.length / 1024)} KiB, ${Math.ceil(small.length / 1024)} KiB as brotli`);
    }
  }
}

const site = process.argv[2] ?? 'target/site';
compress(site);

// What every page waits for must stay small; src/ui/pieces.rs says how the rest is cut off.
const first = join(site, 'pkg/rondo.wasm');
for (const [file, most] of [[first, 1_200_000], [`${first}.br`, 350 * 1024]]) {
  const { size } = statSync(file);
  if (size <= most) continue;
  console.error(`error: ${file} has ${size} bytes, the limit is ${most}: move code of single pages into their pieces`);
  process.exitCode = 1;
}
