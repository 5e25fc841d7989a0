# shellcheck shell=bash
# Bridges, forwarding and packet filter rules: two engines on one machine, and
# nothing of them left afterwards.
#
# The two would tear down each other's chains if both used iptables: each one
# removes what an older or newer Docker has left there when it starts. So
# engine20 has iptables, which is all it can, and engine29 nftables, in tables
# of its own.

make_bridge() {
    local bridge=$1 network=$2
    if ! ip link show dev "$bridge" >/dev/null 2>&1; then
        ip link add "$bridge" type bridge
    fi
    ip address replace "$network.0.1/24" dev "$bridge"
    ip link set "$bridge" up
}

# An engine's bridge and those of the networks that tests made on it. They are
# known by their addresses, which lie in the engine's own range.
bridges_in() {
    local name
    ip -o -4 address show to "$1.0.0/16" | awk '{print $2}' | sort -u |
        while read -r name; do
            if [[ -n $(ip link show dev "$name" type bridge) ]]; then echo "$name"; fi
        done
}

remove_bridges() {
    local name
    for name in $(bridges_in "$1"); do
        ip link delete "$name"
    done
}

# Both engines need forwarding, and engine29 with nftables does not switch it
# on by itself. That it is on before engine20 starts keeps that one from
# setting the policy of the FORWARD chain to DROP, which would cut off engine29.
allow_forwarding() {
    local was
    was=$(cat /proc/sys/net/ipv4/ip_forward)
    [[ -e $state/ip_forward ]] || echo "$was" >"$state/ip_forward"
    [[ $was == 1 ]] || echo 1 >/proc/sys/net/ipv4/ip_forward
}

restore_forwarding() {
    [[ ! -e $state/ip_forward ]] || cat "$state/ip_forward" >/proc/sys/net/ipv4/ip_forward
}

# --- engine20: iptables -----------------------------------------------------
# Where an engine of the machine's own has its chains already, engine20 must
# not touch them: it would remove them. It then does without, published ports
# being served by docker-proxy alone.
may_use_iptables() {
    [[ -e $state/iptables-are-ours ]] && return
    ! iptables -n -L DOCKER >/dev/null 2>&1 || return 1
    touch "$state/iptables-are-ours"
}

remove_iptables_rules() {
    [[ -e $state/iptables-are-ours ]] || return 0
    local table rule name ours
    # Some rules name a chain, others a bridge only, others an address.
    ours="DOCKER|${engine20_network//./\\.}\.[0-9]"
    for name in $(bridges_in "$engine20_network"); do
        ours+="| $name "
    done
    for table in filter nat raw mangle; do
        # A rule is printed as the command that added it: `-A FORWARD …`.
        iptables -t "$table" -S | while read -r rule; do
            if [[ $rule == -A* && $rule =~ $ours ]]; then
                # shellcheck disable=SC2086 # a rule is many words
                iptables -t "$table" ${rule/#-A/-D}
            fi
        done
        # Nothing jumps to them any more.
        iptables -t "$table" -S | while read -r rule; do
            if [[ $rule == "-N DOCKER"* ]]; then
                iptables -t "$table" -X "${rule#-N }"
            fi
        done
    done
    rm -f "$state/iptables-are-ours"
}

# --- engine29: nftables -----------------------------------------------------
# The names of its tables are fixed. A second engine with nftables on the same
# machine would share them, whoever runs it.
remove_nftables_tables() {
    local family
    for family in ip ip6; do
        nft delete table "$family" docker-bridges 2>/dev/null || true
    done
}
