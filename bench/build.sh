#!/usr/bin/env bash
# Builds the load generator and the floor into build/bench/, if their sources are newer.
# TLS and zlib come in where their headers are; elsewhere --tls and --deflate say what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/native"

OUT=../../build/bench
CC=${CC:-gcc}
FLAGS=(-std=gnu11 -O2 -g -Wall -Wextra -Werror)
LIBRARIES=()

has() { "$CC" -E -include "$1" -x c /dev/null >/dev/null 2>&1; }

# program NAME source...: whole programs are small enough to be compiled at once.
program() {
  local name=$1
  shift
  if [[ -x $OUT/$name && -z $(find . ../build.sh -newer "$OUT/$name" -type f) ]]; then return; fi
  "$CC" "${FLAGS[@]}" -o "$OUT/$name.$$" "$@" "${LIBRARIES[@]}"
  mv "$OUT/$name.$$" "$OUT/$name" # nobody ever runs half a program
}

mkdir -p "$OUT"
program floor floor.c wire.c
program distance -pthread distance.c
if has openssl/ssl.h; then FLAGS+=(-DHAVE_TLS) LIBRARIES+=(-lssl -lcrypto); fi
if has zlib.h; then FLAGS+=(-DHAVE_ZLIB) LIBRARIES+=(-lz); fi
shopt -s extglob
program load !(floor|distance).c
