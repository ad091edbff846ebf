#!/bin/sh
# Prints the path of a Chromium: the one CHROMIUM_PATH names, else one that is installed, else
# Debian's, which it installs where this user may.
set -eu

if [ -n "${CHROMIUM_PATH:-}" ]; then
  command -v "$CHROMIUM_PATH" && exit
  echo "CHROMIUM_PATH must name a program; got $CHROMIUM_PATH" >&2
  exit 1
fi

find_chromium() {
  for name in chromium chromium-browser google-chrome google-chrome-stable \
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" \
    "/Applications/Chromium.app/Contents/MacOS/Chromium"; do
    command -v "$name" && return
  done
  return 1
}

find_chromium && exit

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "No Chromium found: installing Debian's." >&2
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >&2
  find_chromium && exit
fi

echo "The browser tests need Chromium and found none. Install it (Debian: apt-get install chromium)," >&2
echo "or set CHROMIUM_PATH to a Chromium or Chrome." >&2
exit 1
