# shellcheck shell=bash
# What the lab needs on the machine. Plain tools are installed with apt; what
# would start a daemon, or push another package out (docker.io and Docker's own
# packages exclude one another), is only unpacked into the cache: nothing on
# the machine notices it.

# COMMAND:PACKAGE. A command that is there already needs no package.
readonly tools=(
    iptables:iptables ip:iproute2 nft:nftables git:git curl:curl openssl:openssl
    nsenter:util-linux perl:perl-base xz:xz-utils gzip:gzip ps:procps gcc:gcc
    pkg-config:pkg-config node:nodejs
)
# Libraries have no command to look for.
readonly libraries=(ca-certificates libc6-dev libseccomp-dev libdevmapper1.02.1 libsystemd0
    libgpg-error0)

# Unpacked into the cache.
readonly unpacked=(
    docker.io containerd runc tini docker-registry etcd-server busybox-static
    openssh-server openssh-client libwrap0 libnsl2 libtirpc3
    skopeo libgpgme11 libassuan0
)

install_tools() {
    local entry missing=() package
    for entry in "${tools[@]}"; do
        command -v "${entry%%:*}" >/dev/null || missing+=("${entry#*:}")
    done
    for package in "${libraries[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    if ((${#missing[@]})); then
        say "  from Debian: ${missing[*]}"
        timed "install them with apt" apt_install "${missing[@]}"
    fi
}

apt_install() {
    refresh_package_lists
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

# A bare image has no lists at all, and old ones name files that are gone.
refresh_package_lists() {
    [[ $EUID != 0 || -n ${lists_are_fresh:-} ]] || apt-get update
    lists_are_fresh=yes
}

unpack_debian_packages() {
    local missing=() package
    for package; do
        [[ -e $debian/.$package ]] || missing+=("$package")
    done
    if ((${#missing[@]})); then
        say "  from Debian, into the cache only: ${missing[*]}"
        timed "unpack them" unpack "${missing[@]}"
    fi
}

unpack() {
    local downloads package file
    downloads=$(mktemp -d)
    cd "$downloads" || return
    apt-get download "$@" || { refresh_package_lists && apt-get download "$@"; }
    for package; do
        for file in "$package"_*.deb; do
            dpkg -x "$file" "$debian"
        done
        touch "$debian/.$package"
    done
    rm -rf "$downloads"
}

# install_for COMPONENT…: everything that these components need and that is not
# there yet.
install_for() {
    local component
    [[ $EUID == 0 ]] || die "this needs root: it makes bridges, mounts and containers"
    # Two at once would build in the same folder; who comes second finds everything there.
    mkdir -p "$cache"
    exec 8>"$cache/lock"
    flock 8
    install_tools
    unpack_debian_packages "${unpacked[@]}"
    for component; do
        case $component in
            hub) build_images; build_ssh_client_image; build_buildkit_images ;;
            gcr) build_registry_front ;;
            engine20) ;;
            engine29) build_engine29 ;;
            kubernetes) build_kubernetes ;;
            bench) build_bench ;;
        esac
    done
    exec 8>&-
}
