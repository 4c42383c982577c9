# shellcheck shell=bash
# What every script starts from: the checkout, the search path, and three ways to speak.
# Sourced, never run.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# Build tools that cargo-leptos looks up on PATH. A copy that is missing, or of another version,
# goes into a directory of our own: what you have in ~/.cargo/bin stays as it is.
cargo_leptos_version=0.3.10
tools=${RONDO_TOOLS:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/rondo/tools}
PATH="$root/node_modules/.bin:$tools/bin:$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
export PATH

# A checker that starts from a fresh clone keeps its compiled dependencies outside of it.
if [ "${CI:-}" = true ] && [ -z "${CARGO_TARGET_DIR:-}" ]; then
  export CARGO_TARGET_DIR=/var/tmp/rondo-target
fi
target=${CARGO_TARGET_DIR:-$root/target}

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
die() { printf '\033[1;31merror:\033[0m %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# timed NAME COMMAND…: runs a long step and says how long it took.
timed() {
  local name=$1 from=$SECONDS
  shift
  say "$name"
  "$@"
  say "$name: done in $((SECONDS - from)) s"
}

# debian PACKAGE…: installs Debian packages where that is allowed, otherwise says which to install.
debian() {
  local as_root=()
  if have apt-get && [ "$(id -u)" -ne 0 ]; then
    if have sudo && sudo -n true 2>/dev/null; then as_root=(sudo)
    elif have sudo && [ -t 0 ]; then as_root=(sudo)
    else die "missing packages; ask an administrator to run: apt-get install -y $*"; fi
  elif ! have apt-get; then
    die "missing programs; install what your system calls these Debian packages: $*"
  fi
  say "installing Debian packages: $*"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
