#!/bin/bash
# Installs the Debian or Ubuntu packages that Python wheels take for granted: OpenGL libraries for
# mediapipe's OpenCV and, unless "libraries" is given, Chromium for the browser tests. Where it may
# not install, it says what is missing; the tests concerned then skip and say so too.
set -u
[ "$(uname -s)" = Linux ] || exit 0  # elsewhere wheels bring what they need

missing=()
has_library() { ldconfig -p 2>/dev/null | grep -q "$1"; }
has_library libGL.so.1 || missing+=(libgl1)
has_library libEGL.so.1 || missing+=(libegl1)
has_library libGLESv2.so.2 || missing+=(libgles2)
has_library libgthread-2.0.so.0 || missing+=(libglib2.0-0)
if [ "${1:-}" != libraries ] && ! command -v chromium >/dev/null; then
  missing+=(chromium)
fi
[ ${#missing[@]} -eq 0 ] && exit 0

run=()
if [ "$(id -u)" -ne 0 ]; then
  sudo -n true 2>/dev/null && run=(sudo -n)
fi
if command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || [ ${#run[@]} -gt 0 ]; }; then
  echo "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  "${run[@]}" apt-get update -qq && \
    "${run[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null && exit 0
fi
echo "missing: ${missing[*]} (sudo apt-get install ${missing[*]}); what needs them will say so" >&2
exit 0
