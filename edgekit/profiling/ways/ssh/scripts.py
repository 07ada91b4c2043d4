"""What the shell of a device is told: plain POSIX sh, one script for each step.

Folders below `$cache`, by default `~/.cache/edgekit`: `env-NAME` is an environment, ready to
be used; `part-RANDOM` one that is being made; `job-RANDOM` holds the files of one errand.
"""

import shlex

READY = "edgekit-facts"
END = "edgekit-end"

# Say what is here, then wait for as long as the connection is wanted. What other visits left
# behind, because their connection broke, is removed.
ASK = rf"""
cache=${{XDG_CACHE_HOME:-$HOME/.cache}}/edgekit
say() {{ printf '%s=%s\n' "$1" "$2"; }}
echo {READY}
say system "$(uname -s)"
say machine "$(uname -m)"
say board "$(tr -d '\000' </proc/device-tree/model 2>/dev/null)"
say cache "$cache"
seen=
for name in python3 python3.14 python3.13 python3.12 python3.11; do
    path=$(command -v $name) || continue
    path=$(readlink -f "$path" 2>/dev/null || echo "$path")
    case " $seen " in *" $path "*) continue ;; esac
    seen="$seen $path"
    say python "$($name -c 'import struct, sys
print("%s %d.%d %d" % (sys.argv[1], *sys.version_info[:2], 8 * struct.calcsize("P")))' \
        $name 2>/dev/null)"
done
place=$cache
while [ ! -d "$place" ]; do place=$(dirname "$place"); done
df -Pk "$place" 2>/dev/null | {{ read -r _; read -r _ _ _ free _; say free_kb "$free"; }}
for each in "$cache"/env-*; do
    [ ! -x "$each/venv/bin/python" ] || say environment "${{each##*/env-}}"
done
echo {END}
find "$cache" -maxdepth 1 \( -name 'job-*' -o -name 'part-*' \) -mtime +0 \
    -exec rm -rf {{}} + 2>/dev/null
find "$cache" -maxdepth 1 -name 'env-*' -mtime +60 -exec rm -rf {{}} + 2>/dev/null
exec cat >/dev/null
"""

# Install what comes as an archive. It ends early, and leaves nothing, if the connection breaks.
INSTALL = r"""
cache=$1 name=$2 random=$3
umask 077
part=$cache/part-$random
mkdir -p "$part" || exit 1
trap 'rm -rf "$part"' EXIT
trap 'exit 1' HUP INT TERM
trap '' PIPE  # nobody may listen any more
tar -xf - -C "$part" || exit 1
unset EDGEKIT_VENV
exec 3<&0
$(command -v setsid) sh "$part/run.sh" --version </dev/null >/dev/null 3<&- &
install=$!
{ cat; kill -- -$install || kill $install; } <&3 >/dev/null 2>&1 &
watch=$!
wait $install
code=$?
kill $watch 2>/dev/null
[ $code = 0 ] || exit $code
rm -rf "$part/wheels"
[ -d "$cache/env-$name" ] || mv "$part" "$cache/env-$name"
"""

# Take the files of an errand.
RECEIVE = r"""
cache=$1 name=$2 random=$3
umask 077
mkdir -p "$cache/job-$random" || exit 1
touch "$cache/env-$name"
tar -xf - -C "$cache/job-$random" || { rm -rf "$cache/job-$random"; exit 1; }
"""

# Do the errand. Python takes the shell's place, so that it ends with the connection.
WORK = r"""
cd "$1/job-$3" || exit 1
exec "$1/env-$2/venv/bin/python" -P -c 'from edgekit.guarded import main; main()'
"""

FORGET = r"""
rm -rf "$1/job-$3"
"""


def shell(script: str, *arguments: str) -> str:
    """Return a command line for the login shell of a device, whichever that is."""
    words = ["exec", "sh", "-c", script, "edgekit", *arguments]
    return " ".join(words[:1] + [shlex.quote(each) for each in words[1:]])
