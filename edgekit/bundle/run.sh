#!/bin/sh
# Run edgekit on this device with what lies beside this file:
#
#   sh run.sh                    measure every model of the bundle
#   sh run.sh COMMAND...         as `edgekit COMMAND...`
#
# The first call makes a virtual environment in the folder `venv`, or installs into the one
# that is there. EDGEKIT_VENV names another folder. No network is needed where the bundle
# was made with --wheels.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
. "$here/settings.sh"
venv=${EDGEKIT_VENV:-$here/venv}

# fail EXIT-CODE LINE...
fail() {
    code=$1
    shift
    printf 'error: %s\n' "$1" >&2
    shift
    [ $# = 0 ] || printf '%s\n' "$@" >&2
    exit "$code"
}

# The Python's version and word size, e.g. `3.11 64`; nothing if it does not start.
about() {
    "$1" -c 'import struct, sys
print("%d.%d %d" % (*sys.version_info[:2], 8 * struct.calcsize("P")))' 2>/dev/null || true
}

find_python() {
    found='' other=''
    for name in python3 $(printf 'python%s ' $pythons); do
        is=$(about "$name")
        [ -n "$is" ] || continue
        found="$found, $name is ${is% *} (${is#* } bits)"
        case " $pythons " in
        *" ${is% *} "*) ;;
        *) continue ;;
        esac
        [ "${is#* }" != "$bits" ] || { python=$name; return; }
        other=${is#* }
    done
    found=${found#, }
    case $other in
    32) hint=raspberry-pi-32bit ;;
    *) hint=raspberry-pi-4 ;;
    esac
    [ -z "$other" ] ||
        fail 4 "This bundle is for programs of $bits bits; the Python here has $other." \
            "Make another one, e.g. with: edgekit bundle --target $hint"
    fail 4 "This bundle is for Python $pythons; found: ${found:-none}." \
        "Make one for it with: edgekit bundle --target $target --python VERSION"
}

check_machine() {
    is=$(uname -m)
    case "$machine/$is" in
    # A 32-bit system may run on a 64-bit kernel: find_python looks at the word size.
    "$machine/$machine" | armv7l/armv8l | armv7l/aarch64) ;;
    *) fail 4 "This bundle is for $title ($machine); this machine is $is." \
        "Make one for it with: edgekit bundle --target NAME" ;;
    esac
}

# What comes from the system, because nobody publishes wheels for this machine.
check_system() {
    [ -n "$apt" ] || return 0
    "$python" -c 'import numpy' 2>/dev/null ||
        fail 6 "numpy is needed, and no wheel of it is published for this machine." \
            "Install it with: sudo apt install $apt"
    "$python" -c 'import cffi, cv2' 2>/dev/null ||
        printf 'Pictures and sounds need: sudo apt install %s\n' "$apt" >&2
}

install() {
    printf 'Installing edgekit into %s\n' "$venv" >&2
    again=
    [ ! -x "$venv/bin/python" ] || again=--force-reinstall
    for tool in "$here"/wheels/pip-*.whl; do :; done
    if [ -e "$tool" ]; then
        make_venv --without-pip
        tool=$tool/pip
        pip_install --no-index --no-deps --no-compile --find-links "$here/wheels" $again \
            -r "$here/requirements.txt" "$here"/wheels/edgekit-*.whl
    else
        make_venv
        tool=$(in_venv -c 'import pip; print(pip.__path__[0])')
        pip_install -r "$here/requirements.txt"
        # It was said above what it needs on this device.
        pip_install --no-index --no-deps $again "$here"/wheels/edgekit-*.whl
    fi
    cp "$here/bundle.json" "$venv/.edgekit-bundle"
}

pip_install() {
    in_venv "$tool" install --quiet --disable-pip-version-check --root-user-action ignore "$@" ||
        fail 6 "The packages could not be installed; pip says why above."
}

in_venv() {
    "$venv/bin/python" "$@"
}

make_venv() {
    [ ! -x "$venv/bin/python" ] || return 0
    [ -z "$apt" ] || set -- "$@" --system-site-packages
    "$python" -m venv "$@" "$venv" ||
        fail 6 "No virtual environment could be made in $venv." \
            "Is there space, and may you write there? Without it: sudo apt install python3-venv"
}

if ! cmp -s "$here/bundle.json" "$venv/.edgekit-bundle"; then
    check_machine
    find_python
    check_system
    install
fi

[ $# = 0 ] || exec "$venv/bin/python" -P -m edgekit "$@"
exec "$venv/bin/python" -P -m edgekit profile "$here"/models/*.tflite
