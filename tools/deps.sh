#!/usr/bin/env bash
# What building and testing needs: npm packages, and real etcd and influxd for tests and the demonstration. The servers are
# taken from PATH, else unpacked from Debian packages into .tools/. No root; nothing is installed or started on this machine.
set -euo pipefail
cd "$(dirname "$0")/.."

min_free_gb="${MIN_FREE_GB:-6}"
tools="$PWD/.tools"

say() { printf 'deps: %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}

check_node() {
  command -v node >/dev/null || fail 'Node.js 20.19 or later is needed and there is none in PATH; see https://nodejs.org'
  command -v npm >/dev/null || fail 'npm is needed and not in PATH; it comes with Node.js'
  node -e 'const [a,b]=process.versions.node.split(".").map(Number); process.exit(a>20||(a===20&&b>=19)?0:1)' ||
    fail "Node.js 20.19 or later is needed, this is $(node --version); see https://nodejs.org"
}

check_disk() {
  local free_kb
  free_kb="$(df -Pk . | awk 'NR==2 {print $4}')"
  if ((free_kb < min_free_gb * 1024 * 1024)); then
    fail "$min_free_gb GB of free disk are wanted here, there are $((free_kb / 1024 / 1024)); free some, or run again with MIN_FREE_GB=1"
  fi
}

# npm writes this file last, so an interrupted install is found and done again.
npm_packages() {
  local marker=node_modules/.package-lock.json
  if [[ -e $marker && ! package-lock.json -nt $marker ]]; then return; fi
  check_disk
  say 'installing npm packages (npm ci)'
  npm ci --no-audit --no-fund --loglevel=error >&2 || fail 'npm ci failed; see above, then run again'
  touch "$marker"
}

# Usable means: it runs, and says a version that the tests take.
usable() {
  case "$1" in
    etcd) "$2" --version 2>/dev/null | grep -Eq '^etcd Version: 3\.([4-9]|[1-9][0-9])' ;;
    influxd) "$2" version 2>/dev/null | grep -Eq 'v?1\.[678]([.~ ]|$)' ;;
    influx) "$2" -version 2>/dev/null | grep -Eq '1\.[678]([.~ ]|$)' ;;
  esac
}

# server PROGRAM PACKAGE
server() {
  local program="$1" package="$2" stamp="$tools/.$1-checked"
  local unpacked="$tools/usr/bin/$program" installed
  installed="$(PATH="$(path_without_tools)" command -v "$program" || true)"
  if [[ -e $stamp && (-x $unpacked || -n $installed) ]]; then return; fi
  mkdir -p "$tools"
  if [[ -x $unpacked ]] && usable "$program" "$unpacked"; then
    touch "$stamp"
    return
  fi
  if [[ -n $installed ]] && usable "$program" "$installed"; then
    touch "$stamp"
    return
  fi
  fetch "$program" "$package"
  touch "$stamp"
}

# make puts .tools/usr/bin first; what was there before is what the user has.
path_without_tools() { printf '%s' "$PATH" | tr ':' '\n' | grep -vxF "$tools/usr/bin" | paste -sd: -; }

fetch() {
  local program="$1" package="$2" work="$tools/fetch.$$"
  local by_hand='install etcd 3.4 or later and InfluxDB 1.6 to 1.8 (server and influx client) yourself and have them in PATH'
  if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
    fail "$program is not in PATH, and this system has no apt to fetch it with; $by_hand"
  fi
  if [[ -z "$(apt-cache madison "$package" 2>/dev/null)" ]]; then
    fail "apt knows no package $package: run 'apt-get update' (as root) and try again, or $by_hand"
  fi
  check_disk
  say "fetching $package into .tools/ (nothing is installed on the system)"
  rm -rf "$tools"/fetch.*
  mkdir -p "$work/root"
  # As root, apt would warn that its own user can't write here; there is nothing to fear from that.
  (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$package" >&2) ||
    fail "apt-get download $package failed; run 'apt-get update' (as root) and try again, or $by_hand"
  dpkg -x "$work"/*.deb "$work/root" || fail "unpacking $package failed; run again"
  usable "$program" "$work/root/usr/bin/$program" ||
    fail "$package does not bring a $program that the tests take (etcd 3.4 or later, InfluxDB 1.6 to 1.8); $by_hand"
  cp -a "$work/root/." "$tools/"
  rm -rf "$work"
}

# What lets tests step the clock of one process. Without it test/fault/clock-step.test.ts says so and is skipped.
faketime() {
  local work="$tools/fetch.$$" found='*/faketime/libfaketimeMT.so.1'
  if compgen -G "/usr/lib/$found" >/dev/null || compgen -G "$tools/usr/lib/$found" >/dev/null; then return; fi
  mkdir -p "$work/root"
  if (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download libfaketime 2>/dev/null) &&
    dpkg -x "$work"/*.deb "$work/root" 2>/dev/null; then
    cp -a "$work/root/." "$tools/"
  else
    say 'apt does not give libfaketime: tests that step a clock will be skipped'
  fi
  rm -rf "$work"
}

check_node
npm_packages
server etcd etcd-server
server influxd influxdb
server influx influxdb-client
faketime
