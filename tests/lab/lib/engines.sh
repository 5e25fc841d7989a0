# shellcheck shell=bash
# Two Docker Engines, since they disagree about stores and digests:
#   engine20  Debian's docker.io 20.10, overlay2 graph driver, API 1.41
#   engine29  Moby's newest, containerd image store
# Each has its own containerd, socket, data, bridge and networks, and pulls
# from the Docker Hub stand-in.

up_engine20() {
    start_engine engine20 "$debian/usr/bin" "$debian/usr/sbin" -- "$(engine20_firewall)"
}

up_engine29() {
    start_engine engine29 "$moby" "$containerd" "$runc" "$debian/usr/sbin" -- --firewall-backend=nftables
}

stop_engine20() { stop_engine engine20; }
stop_engine29() { stop_engine engine29; }

clean_engine20() {
    remove_iptables_rules
    remove_bridges "$engine20_network"
}

clean_engine29() {
    remove_nftables_tables
    remove_bridges "$engine29_network"
}

engine20_firewall() {
    if may_use_iptables; then
        echo --iptables=true
    else
        note "engine20 leaves iptables to the Docker Engine that this machine has already"
        echo --iptables=false
    fi
}

# start_engine NAME FOLDER… -- FLAG…: the folders come first on its PATH.
start_engine() {
    local name=$1 path='' folder=$state/$1
    shift
    while [[ $1 != -- ]]; do path+=$1:; shift; done
    shift
    local bridge=${name}_bridge network=${name}_network
    allow_forwarding
    make_bridge "${!bridge}" "${!network}"
    mkdir -p "$folder/data" "$folder/run" "$folder/bin"
    # An empty one of its own: the machine's is for the machine's engine.
    echo '{}' >"$folder/daemon.json"
    hide_iptables_from_engine29 "$name"
    path=$folder/bin:$path/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

    if ! runs "$name-containerd" || ! runs "$name"; then
        # After a crash, what it left behind would be in the way.
        stop_engine "$name"
    fi
    if ! runs "$name-containerd"; then
        configure_containerd "$folder"
        launch "$name" "$name-containerd" nsenter --mount="$view" -- env PATH="$path" \
            containerd --config "$folder/containerd.toml"
        answers "$name-containerd" 30 test -S "$folder/run/containerd.sock"
    fi
    if ! runs "$name"; then
        launch "$name" "$name" nsenter --mount="$view" -- env PATH="$path" \
            dockerd \
            --host "unix://$(engine_socket "$name")" --group root \
            --containerd "$folder/run/containerd.sock" \
            --data-root "$folder/data" --exec-root "$folder/run/docker" --pidfile "$folder/run/docker.pid" \
            --config-file "$folder/daemon.json" \
            --bridge "${!bridge}" --default-address-pool "base=${!network}.128.0/17,size=24" \
            --cgroup-parent "/longshore-lab/$name" \
            --registry-mirror "http://$hub_address" \
            "$@"
    fi
    answers "$name" 60 engine_answers "$name"
}

engine_answers() {
    curl --silent --fail --max-time 2 --unix-socket "$(engine_socket "$1")" http://engine/_ping
}

# Containers that ignore TERM, as any program does that runs as pid 1 without a
# handler, would keep the engine for ten seconds. After three they are killed,
# and the engine writes down, in its own time, that they have ended.
stop_engine() {
    local name=$1
    if runs "$name"; then
        kill -TERM "$(pid_of "$name")"
        # shellcheck disable=SC2317 # called by wait_until
        ended() { ! runs "$name"; }
        wait_until 3 ended || kill_members_of "$name" but-not-daemons
    fi
    end "$name" 20
    end "$name-containerd" 10
    # Shims and containers outlive daemons that were killed.
    kill_members_of "$name"
    wait_until 5 has_no_members "$name" || note "$name: some processes could not be ended"
    rm -rf "$state/$name/run" "$(engine_socket "$name")"
}

# Removes what tests may have left. The engine goes on running, since what is
# being tried out against it may be connected.
empty_engine() {
    local engine=("$docker" --host "unix://$(engine_socket "$1")") ids
    mapfile -t ids < <("${engine[@]}" ps --all --quiet)
    ((${#ids[@]} == 0)) || "${engine[@]}" rm --force --volumes "${ids[@]}" >/dev/null
    mapfile -t ids < <("${engine[@]}" images --all --quiet | sort -u)
    # By force, because one image may have many tags; and without a word about
    # those that went as the parents of others.
    ((${#ids[@]} == 0)) || "${engine[@]}" rmi --force "${ids[@]}" >/dev/null 2>&1 || true
    "${engine[@]}" system prune --all --force --volumes >/dev/null
    "${engine[@]}" builder prune --all --force >/dev/null
    mapfile -t ids < <("${engine[@]}" volume ls --quiet)
    ((${#ids[@]} == 0)) || "${engine[@]}" volume rm --force "${ids[@]}" >/dev/null
}

has_no_members() { [[ -z $(members_of "$1") ]]; }

configure_containerd() {
    local folder=$1
    # cri is not needed; opt and nri would make folders outside the lab's own.
    cat >"$folder/containerd.toml" <<-EOF2
		version = 2
		root = "$folder/data/containerd"
		state = "$folder/run/containerd"
		disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]
		[grpc]
		  address = "$folder/run/containerd.sock"
	EOF2
}

# At its start an engine with nftables removes the chains that an engine with
# iptables has left, which here are those of engine20, in use. It cannot find
# them without the command.
hide_iptables_from_engine29() {
    local command
    [[ $1 == engine29 ]] || return 0
    for command in iptables ip6tables; do
        printf '#!/bin/sh\necho "%s is not for engine29: it has nftables" >&2\nexit 1\n' "$command" \
            >"$state/$1/bin/$command"
        chmod +x "$state/$1/bin/$command"
    done
}
