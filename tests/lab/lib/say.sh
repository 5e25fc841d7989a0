# shellcheck shell=bash
# Words for the person who runs the lab: one line per thing done, with its
# time; what failed, where its log is, and what to do about it.

say() { printf '%s\n' "$*"; }
note() { printf '%s\n' "$*" >&2; }

die() {
    printf 'lab: %s\n' "$*" >&2
    exit 1
}

# Milliseconds since the epoch. EPOCHREALTIME uses the locale's decimal sign.
now() {
    local t=${EPOCHREALTIME/[.,]/}
    echo $((t / 1000))
}

seconds_since() {
    local ms=$(($(now) - $1))
    printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100))
}

# timed WORDS COMMAND…: runs the command, its output to a log of its own, and
# says how long it took.
timed() {
    local words=$1 begun log
    shift
    begun=$(now)
    mkdir -p "$cache/logs"
    log=$cache/logs/$(tr -cs 'a-zA-Z0-9.\n' '-' <<<"$words").log
    printf '  %-44s' "$words"
    # In the background, because errors inside a function that is the condition
    # of an `if` do not end it.
    "$@" </dev/null >"$log" 2>&1 &
    if wait $!; then
        say "$(seconds_since "$begun")"
    else
        say "FAILED after $(seconds_since "$begun")"
        show_end_of "$log"
        exit 1
    fi
}

show_end_of() {
    note "the last lines of $1:"
    tail -n 8 "$1" 2>/dev/null | cut -c 1-300 | sed 's/^/    /' >&2
}

# wait_until SECONDS COMMAND…: true as soon as the command is.
wait_until() {
    local end=$(($(now) + $1 * 1000))
    shift
    until "$@" >/dev/null 2>&1; do
        (($(now) < end)) || return 1
        sleep 0.05
    done
}
