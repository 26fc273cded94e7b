# Sourced by quickstart and test: finds out which Debian packages are missing, and installs them. Everything is said on stderr.
MISSING=

# need PACKAGE COMMAND...: PACKAGE is missing unless COMMAND succeeds.
need() {
    need_package=$1
    shift
    "$@" >/dev/null 2>&1 || MISSING="$MISSING $need_package"
}

have_header() {
    printf '#include <%s>\n' "$1" | cc -E -o /dev/null -
}

# CMakePresets.json is of a form that came with CMake 3.25.
have_cmake() {
    cmake -P "$ROOT/tools/cmake_version.cmake"
}

# Any driver will do: a graphics card's, or the one installed here, which runs on the CPU.
have_vulkan_driver() {
    [ -n "$VK_DRIVER_FILES$VK_ICD_FILENAMES" ] || ls /usr/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json /usr/local/share/vulkan/icd.d/*.json 2>/dev/null | grep -q .
}

need_build_packages() {
    need gcc command -v cc
    need libc6-dev have_header stdio.h
    need cmake have_cmake
    need ninja-build command -v ninja
    need pkg-config command -v pkg-config
    need glslang-tools command -v glslangValidator
    need spirv-tools command -v spirv-val
    need libvulkan-dev have_header vulkan/vulkan.h
    need libvulkan-volk-dev have_header volk.h
    need libpng-dev pkg-config --exists 'libpng >= 1.6'
    need libjansson-dev pkg-config --exists 'jansson >= 2.13'
    need libutf8proc-dev pkg-config --exists 'libutf8proc >= 2.5'
}

# apt WORDS...: apt-get as root, asking nothing, waiting for another run of it to end.
apt() {
    apt_as=
    [ "$(id -u)" -eq 0 ] || apt_as=sudo
    $apt_as env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" >&2
}

install_missing() {
    [ -n "$MISSING" ] || return 0
    if ! command -v apt-get >/dev/null; then
        echo "please install what your system calls these Debian packages:$MISSING" >&2
        return 1
    fi
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        echo "please install, as root:$MISSING" >&2
        return 1
    fi
    echo "installing:$MISSING" >&2
    apt update || echo "apt-get update failed; trying with the package lists that are there" >&2
    # The list is split into words on purpose.
    apt install --no-install-recommends $MISSING || return 1
    MISSING=
}
