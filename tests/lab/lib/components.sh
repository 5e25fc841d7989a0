# shellcheck shell=bash
# The commands of the lab, over all components.

up() {
    local begun wanted
    begun=$(now)
    mapfile -t wanted < <(with_what_they_need "${@:-${all_components[@]}}")
    check_names "${wanted[@]}"
    install_for "${wanted[@]}"
    alone
    prepare_state
    bring_up "${wanted[@]}"
    say "the lab is up after $(seconds_since "$begun")"
}

# Engines pull the base images from hub.
with_what_they_need() {
    local component
    for component in "${all_components[@]}"; do
        [[ $component == hub && " $* " == *" engine"* || " $* " == *" $component "* ]] && echo "$component"
    done
    # A name that is none is kept, to be refused.
    for component; do
        [[ " ${all_components[*]} " == *" $component "* ]] || echo "$component"
    done
}

check_names() {
    local component
    for component; do
        [[ " ${all_components[*]} " == *" $component "* ]] ||
            die "there is no component '$component'; there are: ${all_components[*]}"
    done
}

# Bridges, ports and cgroups have fixed names: a second lab with another state
# folder would take the first one's for what a crash has left, and end it.
readonly whose=/run/longshore-lab

refuse_second_lab() {
    local other
    other=$(cat "$whose" 2>/dev/null) || return 0
    [[ $other == "$state" || ! -e $other/.longshore-lab ]] ||
        die "the lab is up with another state folder: LONGSHORE_LAB_STATE=$other"
}

# Two commands at once would start everything twice.
alone() {
    refuse_second_lab
    mkdir -p "$state"
    exec 9>"$state/lock"
    flock -w 300 9 || die "another 'lab' command holds $state/lock"
}

prepare_state() {
    chmod 0711 "$state"
    touch "$state/.longshore-lab"
    echo "$state" >"$whose"
    mkdir -p "$logs"
    make_authority
    make_view
}

# All at once; one line for each when it answers.
bring_up() {
    local component failed=0
    declare -A pids
    for component; do
        bring_up_one "$component" &
        pids[$component]=$!
    done
    for component; do
        wait "${pids[$component]}" || failed=1
    done
    ((!failed)) || exit 1
}

bring_up_one() {
    local component=$1 begun before words
    begun=$(now)
    before=$(is_up "$component" && echo already up || echo up)
    words=$logs/lab-$component.log
    # Not in a condition: the first error has to end it.
    (set -e; "up_$component") >"$words" 2>&1 &
    if wait $!; then
        sed 's/^/  /' "$words"
        printf '  %-12s %-11s %8s   %s\n' "$component" "$before" "$(seconds_since "$begun")" "$(address_of "$component")"
    else
        printf '  %-12s FAILED after %s, its logs are in %s\n' "$component" "$(seconds_since "$begun")" "$logs" >&2
        sed 's/^/    /' "$words" >&2
        return 1
    fi
}

daemons_of() {
    case $1 in
        hub) echo hub ;;
        gcr) echo "gcr gcr-registry" ;;
        engine*) echo "$1 $1-containerd" ;;
        kubernetes) echo "kube-apiserver etcd" ;;
    esac
}

is_up() {
    local daemon
    for daemon in $(daemons_of "$1"); do
        runs "$daemon" || return 1
    done
}

address_of() {
    case $1 in
        hub) echo "http://$hub_address" ;;
        gcr) echo "https://${gcr_names[0]} at $gcr_ip" ;;
        engine*) echo "unix://$(engine_socket "$1")" ;;
        kubernetes) echo "https://127.0.0.1:$kubernetes_port" ;;
    esac
}

show_status() {
    local component
    for component in "${all_components[@]}"; do
        if is_up "$component"; then
            printf '%-12s up     %s\n' "$component" "$(address_of "$component")"
        else
            printf '%-12s down\n' "$component"
        fi
    done
    say "logs: $logs"
    say "cache: $cache"
}

start() {
    (($#)) || die "lab start wants a component: ${all_components[*]}"
    check_names "$@"
    [[ -e $state/.longshore-lab ]] || die "the lab is not up: 'lab up' first"
    alone
    prepare_state
    bring_up "$@"
}

stop() {
    local component begun
    (($#)) || die "lab stop wants a component: ${all_components[*]}"
    check_names "$@"
    alone
    for component; do
        begun=$(now)
        "stop_$component"
        printf '  %-12s stopped     %8s\n' "$component" "$(seconds_since "$begun")"
    done
}

# The order is that of use: engines before the registries that they talk to.
down() {
    local component pids=() pid failed=0
    [[ $EUID == 0 ]] || die "this needs root"
    [[ -e $state/.longshore-lab ]] || { say "nothing to end at $state"; return; }
    alone
    for component in engine20 engine29 kubernetes gcr hub; do
        end_for_good "$component" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid" || failed=1
    done
    ((!failed)) || die "not everything could be ended; $state is left as it is"
    restore_forwarding
    remove_view
    # The marker stands for the promise that everything in there is ours.
    rm -rf "$state" "$whose"
    say "the lab is down; what was built stays in $cache"
}

end_for_good() {
    "stop_$1"
    "clean_$1"
    remove_cgroups_of "$1"
}

reset() {
    local component wanted=("${@:-hub gcr engine20 engine29}")
    (($#)) || wanted=(hub gcr engine20 engine29)
    check_names "${wanted[@]}"
    alone
    for component in "${wanted[@]}"; do
        is_up "$component" || continue
        case $component in
            hub | gcr) reset_registry "$component" ;;
            engine*) empty_engine "$component" ;;
            kubernetes) stop_kubernetes; rm -rf "$state/kubernetes/etcd"; up_kubernetes ;;
        esac
        say "  $component reset"
    done
}

images_into() {
    local address=${1:-${DOCKER_HOST:-unix:///var/run/docker.sock}}
    unpack_debian_packages busybox-static
    build_images
    load_images_into "$address"
}
