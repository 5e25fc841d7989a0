# shellcheck shell=bash
# Daemons: started detached, remembered by pid, ended by pid. Nothing is ever
# looked up by its name: the machine may run the same programs for itself.

# A pid alone is not enough after a reboot or a long while: another process may
# have it by now. The time at which a process began tells them apart.
beginning_of() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # The second field is the name in parentheses and may hold spaces.
    stat=${stat##*) }
    awk '{print $20}' <<<"$stat"
}

boot() { cat /proc/sys/kernel/random/boot_id; }

# runs NAME: is the daemon that we started under this name still alive?
runs() {
    local pid began booted
    read -r pid began booted 2>/dev/null <"$state/pids/$1" || return 1
    [[ $booted == "$(boot)" && $(beginning_of "$pid") == "$began" ]] || return 1
    # A zombie is nobody who could answer.
    [[ $(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) != Z* ]]
}

pid_of() { cut -d ' ' -f 1 "$state/pids/$1"; }

# launch COMPONENT NAME COMMAND…: starts a daemon of that component, its output
# appended to logs/NAME.log. Whatever it starts itself (shims, proxies) stays
# in the component's cgroup, which is how the rest is found when it is killed.
launch() {
    local component=$1 name=$2 group pid
    shift 2
    mkdir -p "$state/pids" "$logs"
    group=$(cgroup_for_daemons_of "$component")
    (
        # The lab's own lock is not for its daemons to keep.
        exec 9>&- </dev/null >>"$logs/$name.log" 2>&1
        # Nothing that the lab talks to lies behind a proxy.
        unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
        cd /
        # shellcheck disable=SC2016 # expanded by the inner shell
        exec setsid sh -c '[ -z "$0" ] || echo $$ >"$0/cgroup.procs"; exec "$@"' "$group" "$@"
    ) &
    pid=$!
    echo "$pid $(beginning_of "$pid") $(boot)" >"$state/pids/$name"
    disown "$pid"
}

# answers NAME SECONDS COMMAND…: waits until the command succeeds; gives up at
# once when the daemon has ended, and shows why.
answers() {
    local name=$1 limit=$2
    shift 2
    # shellcheck disable=SC2317 # called by wait_until
    answered_or_gone() { "$@" || ! runs "$name"; }
    if wait_until "$limit" answered_or_gone "$@" && runs "$name" && "$@" >/dev/null 2>&1; then
        return
    fi
    if runs "$name"; then
        note "$name does not answer after $limit seconds"
    else
        note "$name has ended"
    fi
    show_end_of "$logs/$name.log"
    return 1
}

# end NAME [SECONDS]: asks it to end, and ends it when it has not done so.
end() {
    local name=$1 limit=${2:-10} pid
    if runs "$name"; then
        pid=$(pid_of "$name")
        kill -TERM "$pid" 2>/dev/null || true
        # shellcheck disable=SC2317 # called by wait_until
        gone() { ! runs "$name"; }
        wait_until "$limit" gone || { kill -KILL "$pid" 2>/dev/null || true; wait_until 5 gone; }
    fi
    rm -f "$state/pids/$name"
}

# --- cgroups ----------------------------------------------------------------
# One hierarchy is enough to remember who belongs to whom: the only one of
# version 2, or `pids` of version 1. Containers lie beside their daemons, in
# the same parent (dockerd's --cgroup-parent): version 2 wants processes only
# in leaves.
cgroup_root() {
    if [[ -f /sys/fs/cgroup/cgroup.controllers ]]; then
        echo /sys/fs/cgroup
    elif [[ -d /sys/fs/cgroup/pids ]]; then
        echo /sys/fs/cgroup/pids
    fi
}

# Prints nothing where cgroups cannot be written: the lab works without, it
# only finds less after a crash.
cgroup_for_daemons_of() {
    local root group
    root=$(cgroup_root)
    group=$root/longshore-lab/$1/daemons
    if [[ -n $root ]] && mkdir -p "$group" 2>/dev/null; then echo "$group"; fi
}

# members_of COMPONENT [but-not-daemons]: pids.
members_of() {
    local root group
    root=$(cgroup_root)/longshore-lab/$1
    [[ -d $root ]] || return 0
    find "$root" -name cgroup.procs | while read -r group; do
        [[ -n ${2:-} && $group == "$root/daemons/cgroup.procs" ]] || cat "$group" 2>/dev/null || true
    done
}

kill_members_of() {
    local pid
    members_of "$@" | while read -r pid; do
        kill -KILL "$pid" 2>/dev/null || true
    done
}

remove_cgroups_of() {
    local group
    for group in /sys/fs/cgroup/longshore-lab/"$1" /sys/fs/cgroup/*/longshore-lab/"$1"; do
        [[ -d $group && ! -L $(dirname "$(dirname "$group")") ]] || continue
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
        rmdir "$(dirname "$group")" 2>/dev/null || true
    done
}
