# Finds Bun of the version pinned in package.json and puts it first on PATH; installs it through npm below .tools when the machine
# has none or another one. Sourced by the scripts beside it; leaves the working directory at the repository's root.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bun_version=$(sed -n 's/.*"packageManager": "bun@\([^"]*\)".*/\1/p' package.json)

# The package that holds the executable itself: the package `bun` fetches it in an install script, which npm may refuse to run.
bun_package() {
  local os cpu suffix=''
  case "$(uname -s)" in
    Linux) os=linux ;;
    Darwin) os=darwin ;;
    *) echo "no Bun for $(uname -s): install bun $bun_version by hand (https://bun.com)" >&2; exit 1 ;;
  esac
  case "$(uname -m)" in
    x86_64 | amd64) cpu=x64 ;;
    aarch64 | arm64) cpu=aarch64 ;;
    *) echo "no Bun for $(uname -m)" >&2; exit 1 ;;
  esac
  if [ $os = linux ] && ldd --version 2>&1 | grep -qi musl; then suffix=-musl; fi
  if [ $os-$cpu = linux-x64 ] && ! grep -qw avx2 /proc/cpuinfo; then suffix=$suffix-baseline; fi
  echo "@oven/bun-$os-$cpu$suffix"
}

if [ "$(bun --version 2>/dev/null || true)" != "$bun_version" ]; then
  tools="$PWD/.tools/bun-$bun_version"
  if [ ! -x "$tools/bun" ]; then
    package=$(bun_package)
    echo "installing Bun $bun_version ($package)" >&2
    npm install --prefix "$tools" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error "$package@$bun_version" >&2
    ln -sf "node_modules/$package/bin/bun" "$tools/bun"
  fi
  export PATH="$tools:$PATH"
fi

bun install --frozen-lockfile --silent
