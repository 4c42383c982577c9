// What Linux tells about processes, and a table to say it in.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Microseconds of a clock tick of /proc. */
export const TICK_US = 1e6 / Number(execFileSync('getconf', ['CLK_TCK']));
/** The cores beside the first, which belongs to the proxy that is measured. */
export const OTHERS = availableParallelism() > 1 ? `1-${availableParallelism() - 1}` : '0';

/** CPU time of these processes, user and system, in ticks. */
export const cpuTicks = (pids) => pids.reduce((sum, pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return sum + Number(fields[11]) + Number(fields[12]);
}, 0);

/** Resident memory of these processes, KiB. */
export const rssKiB = (pids) => pids.reduce((sum, pid) => sum + Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]), 0);
export const rssMiB = (pids) => rssKiB(pids) / 1024;

/** The value below which this share of the sorted numbers lies. */
export const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;

/** A line of a table: the first cell to the left, the others to the right. */
export const row = (...cells) => console.log(cells.map((cell, at) => (at ? String(cell).padStart(14) : String(cell).padEnd(20))).join(''));

export const pause = (ms) => new Promise((next) => setTimeout(next, ms));

/** Says whether a figure holds; the command fails at the end when one does not. */
export function must(what, value, most, unit) {
  const held = value <= most;
  console.log(`${held ? 'ok  ' : 'NOT '} ${what}: ${value.toFixed(1)} ${unit} (at most ${most})`);
  if (!held) process.exitCode = 1;
}
